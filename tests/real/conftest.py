"""Trained networks and photographs that nobody of this project made; without them the tests skip."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# `examples` is no installed package, and its networks are what these tests run.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PIL import Image

from examples.nets import ImageNet, find_data, imagenet_net


class Photo(NamedTuple):
    """A photograph, the ImageNet classes it shows and each net's top-1 `(class, name, probability)`."""

    image: Image.Image
    classes: list[int]
    top1: dict[str, tuple[int, str, float]]
    note: str


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real: uses trained networks and photographs from ../shared/data")


@pytest.fixture(scope="session")
def data() -> Path:
    folder = find_data()
    if folder is None:
        pytest.skip("no ../shared/data beside the repository (or set SALWIDGETS_DATA)")
    return folder


@pytest.fixture(scope="session")
def squeezenet(data: Path) -> ImageNet:
    return imagenet_net("squeezenet1_1", data)


@pytest.fixture(scope="session")
def tiny_darknet(data: Path) -> ImageNet:
    return imagenet_net("tiny_darknet", data)


@pytest.fixture(scope="session")
def vit_tiny(data: Path) -> ImageNet:
    return imagenet_net("vit_tiny", data)


@pytest.fixture(scope="session")
def photos(data: Path) -> dict[str, Photo]:
    """The photographs of `photos.json`, by stem: `photos["zebra"]`."""
    listed: dict[str, dict[str, Any]] = json.loads((data / "photos.json").read_text(encoding="utf-8"))
    return {
        Path(name).stem: Photo(
            image=Image.open(data / name).convert("RGB"),
            classes=entry["classes"],
            top1={net: tuple(seen) for net, seen in entry["top1"].items()},
            note=entry["note"],
        )
        for name, entry in listed.items()
    }
