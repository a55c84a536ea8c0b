"""Plain PyTorch definitions of well-known networks, without torchvision or timm.

`imagenet_net` gives three small ones with trained weights. `resnet`, `densenet` and `vgg` have random weights
and serve for benchmarks and for the traps in their structure.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from torch import Tensor, nn

from .darknet import TinyDarknet
from .loading import IMAGENET_MEAN, IMAGENET_STD, find_data, imagenet_classes, load_weights, preprocess
from .squeezenet import SqueezeNet
from .vit import vit_tiny_patch16_224

__all__ = ["RECIPES", "ImageNet", "Recipe", "find_data", "imagenet_net"]

Rgb = tuple[float, float, float]


class Recipe(NamedTuple):
    """How to make a network, and how its inputs were resized and normalised when it was trained."""

    build: Callable[[], nn.Module]
    weights: str
    mean: Rgb
    std: Rgb
    resample: Image.Resampling = Image.Resampling.BILINEAR


class ImageNet(NamedTuple):
    """A trained classifier with all it takes to use it; unpacks as five values."""

    module: nn.Module
    preprocess: Callable[[Image.Image], Tensor]
    mean: Rgb
    std: Rgb
    classes: list[str]


RECIPES = {
    "squeezenet1_1": Recipe(SqueezeNet, "squeezenet1_1", IMAGENET_MEAN, IMAGENET_STD),
    "tiny_darknet": Recipe(TinyDarknet, "tiny_darknet_imagenet", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "vit_tiny": Recipe(
        vit_tiny_patch16_224,
        "vit_tiny_patch16_224_int8",
        (0.5, 0.5, 0.5),
        (0.5, 0.5, 0.5),
        Image.Resampling.BICUBIC,
    ),
}


def imagenet_net(name: str, data: Path | str | None = None) -> ImageNet:
    """A network trained on ImageNet: "squeezenet1_1", "tiny_darknet" or "vit_tiny".

    `data` is the folder with `models/` and `imagenet/`; by default what `find_data` finds. `preprocess` takes
    any PIL image to `(1, 3, 224, 224)`, and the module, on the CPU in eval mode, gives logits `(N, 1000)`.
    Raises ValueError for another name and FileNotFoundError where there is no data folder.
    """
    if name not in RECIPES:
        raise ValueError(f"no network {name!r}; there are {', '.join(RECIPES)}")
    folder = find_data() if data is None else Path(data)
    if folder is None:
        raise FileNotFoundError("no ../shared/data beside the repository; set SALWIDGETS_DATA")
    recipe = RECIPES[name]
    return ImageNet(
        module=load_weights(recipe.build(), folder / "models" / f"{recipe.weights}.safetensors"),
        preprocess=partial(preprocess, mean=recipe.mean, std=recipe.std, resample=recipe.resample),
        mean=recipe.mean,
        std=recipe.std,
        classes=imagenet_classes(folder / "imagenet" / "imagenet_hierarchy.json"),
    )
