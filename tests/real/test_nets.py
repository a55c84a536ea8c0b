"""The networks of `examples/nets` are the ones they claim to be: they repeat predictions made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from examples.nets import ImageNet, imagenet_net
from examples.nets.loading import crop, expand, to_tensor

pytestmark = pytest.mark.real

# Seen: 0.0005, the rounding of the written values. A wrong filter or size gives up to 0.28.
TOLERANCE = 0.002


def probabilities(net: ImageNet, images: list[Image.Image]) -> torch.Tensor:
    with torch.inference_mode():
        return net.module(torch.cat([net.preprocess(image) for image in images])).softmax(dim=-1)


@pytest.mark.parametrize(
    ("fixture", "name"),
    [("squeezenet", "squeezenet1_1"), ("tiny_darknet", "tiny_darknet"), ("vit_tiny", "vit_tiny")],
)
def test_photos_are_classified_as_listed(
    fixture: str, name: str, photos: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    # If a preprocessing does not reproduce the `top1` of photos.json, it is the preprocessing that is wrong.
    net: ImageNet = request.getfixturevalue(fixture)
    seen = probabilities(net, [photo.image for photo in photos.values()])
    for photo, (stem, row) in zip(photos.values(), zip(photos, seen, strict=True), strict=True):
        index, label, probability = photo.top1[name]
        assert int(row.argmax()) == index, stem
        assert net.classes[index] == label, stem
        assert float(row[index]) == pytest.approx(probability, abs=TOLERANCE), stem


@pytest.mark.parametrize("stem", ["doberman", "both", "bird"])
def test_squeezenet_logits_match_the_oracle(stem: str, squeezenet: ImageNet, data: Path) -> None:
    oracles = json.loads((data / "oracles" / "squeezenet_oracles.json").read_text(encoding="utf-8"))
    oracle = oracles["images"][stem]
    image = Image.open(data / "oracles" / f"{stem}_224.png")
    with torch.inference_mode():
        logits = squeezenet.module(to_tensor(image, squeezenet.mean, squeezenet.std))[0]
    values, indices = logits.topk(5)
    assert indices.tolist() == [index for index, _, _ in oracle["top5"]]
    # Seen: 4e-5.
    torch.testing.assert_close(values, torch.tensor(oracle["logits_top"]), atol=1e-2, rtol=0)


def test_squeezenet_last_fire_module_is_13_by_13(squeezenet: ImageNet) -> None:
    with torch.inference_mode():
        assert squeezenet.module.get_submodule("features")(torch.zeros(1, 3, 224, 224)).shape == (
            1,
            512,
            13,
            13,
        )


def test_vit_attention_rows_sum_to_one(vit_tiny: ImageNet, photos: dict[str, Any]) -> None:
    caught: list[torch.Tensor] = []
    last = vit_tiny.module.get_submodule("blocks.11.attn.attn_drop")
    handle = last.register_forward_hook(lambda *call: caught.append(call[2]))
    try:
        probabilities(vit_tiny, [photos["zebra"].image])
    finally:
        handle.remove()
    assert caught[0].shape == (1, 3, 197, 197)
    torch.testing.assert_close(caught[0].sum(-1), torch.ones(1, 3, 197))
    assert vit_tiny.module.get_submodule("patch_embed").grid_size == (14, 14)


def test_crop_takes_the_centre_of_a_tall_image() -> None:
    image = Image.new("RGB", (256, 512), "black")
    image.paste("white", (0, 200, 256, 312))
    centre = crop(image)
    assert centre.size == (224, 224)
    assert centre.getpixel((112, 112)) == (255, 255, 255)
    assert centre.getpixel((112, 0)) == (0, 0, 0)


def test_expand_undoes_row_quantisation() -> None:
    stored = {
        "proj.weight.q": torch.tensor([[1, -2], [3, 4]], dtype=torch.int8),
        "proj.weight.scale": torch.tensor([0.5, 2.0]),
        "norm.scale": torch.tensor([7.0], dtype=torch.float16),
    }
    weights = expand(stored)
    assert weights.keys() == {"proj.weight", "norm.scale"}
    torch.testing.assert_close(weights["proj.weight"], torch.tensor([[0.5, -1.0], [6.0, 8.0]]))


def test_unknown_names_and_missing_data_are_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="squeezenet1_1, tiny_darknet, vit_tiny"):
        imagenet_net("alexnet", data)
    monkeypatch.setenv("SALWIDGETS_DATA", str(data / "no-such-folder"))
    with pytest.raises(FileNotFoundError, match="SALWIDGETS_DATA"):
        imagenet_net("squeezenet1_1")
