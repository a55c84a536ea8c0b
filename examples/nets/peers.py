"""Import other explanation libraries, to compare with, where torchvision cannot be had.

Nothing of salwidgets needs this. `pytorch_grad_cam` and `zennit` import torchvision for a handful of names.
Where it does not import (there is not a build for every build of torch), `import_peer` lends them the few
they use, and takes the stand-ins away again, so that nobody else believes torchvision to be there.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .resnet import BasicBlock, Bottleneck


class Compose:
    def __init__(self, transforms: list[Any]) -> None:
        self.transforms = transforms

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image


class ToTensor:
    """`(H, W, C)` to `(C, H, W)`; uint8 is divided by 255, floats stay as they are."""

    def __call__(self, image: Any) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)))
        return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels


class Normalize:
    def __init__(self, mean: Any, std: Any) -> None:
        self.mean, self.std = mean, std

    def __call__(self, image: Tensor) -> Tensor:
        mean, std = (torch.as_tensor(v, dtype=image.dtype).view(-1, 1, 1) for v in (self.mean, self.std))
        return (image - mean) / std


def resize(image: Tensor, size: int | list[int]) -> Tensor:
    """`(N, C, H, W)`, antialiased bilinear; an int is the length of the short side."""
    height, width = image.shape[-2:]
    if isinstance(size, int):
        short = min(height, width)
        size = [int(size * height / short), int(size * width / short)]
    return F.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)


def box_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Overlap `(A, B)` of boxes `(A, 4)` and `(B, 4)` given as left, top, right, bottom."""

    def area(box: Tensor) -> Tensor:
        return (box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1])

    top_left = torch.maximum(boxes[:, None, :2], others[None, :, :2])
    bottom_right = torch.minimum(boxes[:, None, 2:], others[None, :, 2:])
    size = (bottom_right - top_left).clamp(min=0)
    shared = size[..., 0] * size[..., 1]
    return shared / (area(boxes)[:, None] + area(others)[None] - shared)


# Our ResNet blocks have torchvision's attributes, so zennit's canonizers work on `examples.nets.resnet`.
STAND_INS: dict[str, dict[str, Any]] = {
    "torchvision": {},
    "torchvision.ops": {"box_iou": box_iou},
    "torchvision.models": {},
    "torchvision.models.resnet": {"BasicBlock": BasicBlock, "Bottleneck": Bottleneck},
    "torchvision.transforms": {"Compose": Compose, "Normalize": Normalize, "ToTensor": ToTensor},
    "torchvision.transforms.functional": {"resize": resize},
}


@contextmanager
def torchvision_or_stand_in() -> Iterator[None]:
    """Within: `import torchvision` works, for the names in `STAND_INS` at least. Afterwards: as before."""
    try:
        import torchvision  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401
    except (ImportError, RuntimeError):  # RuntimeError: its compiled operators do not fit this torch
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # what a failed import leaves behind
    else:
        yield
        return
    modules = {name: ModuleType(name) for name in STAND_INS}
    for name, module in modules.items():
        module.__path__ = []
        for attribute, value in STAND_INS[name].items():
            setattr(module, attribute, value)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            sys.modules.pop(name, None)


def mend_guided_ig() -> None:
    """PAIR's GuidedIG calls `np.quantile(interpolation=)`, which NumPy 2.4 no longer takes."""
    guided_ig = importlib.import_module("saliency.core.guided_ig")
    lent = ModuleType("numpy")
    lent.__dict__.update(vars(np))
    vars(lent)["quantile"] = lambda values, q, interpolation: np.quantile(values, q, method=interpolation)
    vars(guided_ig)["np"] = lent


def import_peer(name: str) -> ModuleType:
    """`import_peer("pytorch_grad_cam")`, "zennit", "quantus" or "saliency.core".

    Afterwards plain imports of their parts work too. Raises ImportError where the library is not installed.
    """
    with torchvision_or_stand_in():
        module = importlib.import_module(name)
    if name == "saliency.core":
        mend_guided_ig()
    return module
