"""Weights, class names and preprocessing for the networks here, from a data folder outside the project."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def find_data() -> Path | None:
    """The folder that the environment's SALWIDGETS_DATA names, else `../shared/data` beside the repository.

    None where there is no such folder: tests and examples then skip.
    """
    named = os.environ.get("SALWIDGETS_DATA")
    root = Path(__file__).resolve().parents[2]
    data = Path(named) if named else root.parent / "shared" / "data"
    return data if data.is_dir() else None


def expand(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stored tensors as float32: half precision is widened, int8 rows become `q * scale`, one scale a row.

    A quantised `weight` is stored as `weight.q` (int8, `(rows, ...)`) and `weight.scale` (`(rows,)`).
    """
    weights: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        if name.endswith(".q"):
            base = name.removesuffix(".q")
            scale = stored[f"{base}.scale"].float()
            weights[base] = tensor.float() * scale.reshape(-1, *[1] * (tensor.ndim - 1))
        elif not (name.endswith(".scale") and name.removesuffix(".scale") + ".q" in stored):
            weights[name] = tensor.float()
    return weights


def load_weights(module: Net, path: Path | str) -> Net:
    """Fill `module` from a safetensors file and return it in eval mode.

    Raises RuntimeError, naming the keys, where the file and the module do not match exactly.
    """
    module.load_state_dict(expand(load_file(path)), strict=True)
    return module.eval()


def imagenet_classes(hierarchy_json: Path | str) -> list[str]:
    """The 1000 class names in torchvision order."""
    hierarchy = json.loads(Path(hierarchy_json).read_text(encoding="utf-8"))
    return [entry["name"] for entry in hierarchy["classes"]]


def crop(
    image: Image.Image,
    size: int = 224,
    resample: Image.Resampling = Image.Resampling.BILINEAR,
    short_side: int = 256,
) -> Image.Image:
    """What a classifier sees: the short side made `short_side`, then the centre `size` x `size` cut out.

    Use the filter the network was trained with: bicubic for bilinear moves a probability by up to 0.28 on our
    photographs. Pillow's filters are antialiased; OpenCV's and PyTorch's are not unless asked.
    """
    image = image.convert("RGB")
    scale = short_side / min(image.size)
    width, height = (round(side * scale) for side in image.size)
    image = image.resize((width, height), resample)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def to_tensor(image: Image.Image, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """The whole image as a normalised batch of one: float32 `(1, 3, H, W)`."""
    pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255
    return ((pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)).unsqueeze(0)


def preprocess(
    image: Image.Image,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    size: int = 224,
    resample: Image.Resampling = Image.Resampling.BILINEAR,
) -> Tensor:
    """`crop`, then `to_tensor`: float32 `(1, 3, size, size)`."""
    return to_tensor(crop(image, size, resample), mean, std)
