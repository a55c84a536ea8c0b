"""Models by name: transformers and torchvision. Neither is required; both are loaded only here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError

if TYPE_CHECKING:
    from .adapter import Model


def from_transformers(cls: type[Model], model_or_path: Any, processor: Any = None, **options: Any) -> Model:
    """See `Model.from_transformers`."""
    try:
        import transformers
    except ImportError as e:
        raise ModelError("from_transformers needs the package transformers: pip install 'salwidgets[hf]'.") from e
    net = model_or_path
    if isinstance(net, (str, Path)):
        net = _load(transformers.AutoModelForImageClassification.from_pretrained, str(model_or_path), "model")
        if processor is None:
            processor = _load_processor(transformers, str(model_or_path))
    elif isinstance(processor, (str, Path)):
        processor = _load_processor(transformers, str(processor))
    config = getattr(net, "config", None)
    labels = getattr(config, "id2label", None)
    if labels and "classes" not in options:
        options["classes"] = [str(labels[i]) for i in sorted(labels)]
    if getattr(config, "problem_type", None) == "multi_label_classification":
        options.setdefault("activation", "sigmoid")
    if processor is not None:
        options.setdefault("mean", list(getattr(processor, "image_mean", None) or [0.0] * 3))
        options.setdefault("std", list(getattr(processor, "image_std", None) or [1.0] * 3))
        options.setdefault("preprocess", _through(processor))
    return cls(net, **options)


def _through(processor: Any) -> Callable[[Any], Any]:
    def preprocess(picture: Any) -> Any:
        return processor(picture, return_tensors="pt").pixel_values[0]

    return preprocess


def _load_processor(transformers: Any, path: str) -> Any:
    """The image processor saved beside a model; the plain Pillow one where torchvision is not installed."""
    try:
        return _load(transformers.AutoImageProcessor.from_pretrained, path, "image processor")
    except ImportError:
        return PillowProcessor.from_pretrained(path)


def _load(loader: Callable[..., Any], path: str, what: str) -> Any:
    try:
        return loader(path)
    except (OSError, ValueError) as e:
        if Path(path).is_dir():
            raise ModelError(f"the folder {path!r} holds no {what} that transformers can read: {_first_line(e)}") from e
        raise ModelError(f"the {what} {path!r} is neither a local folder nor in the local cache, and the hub cannot be "
                         "reached. Download it where there is a network (save_pretrained), and give the folder.") from e


class PillowProcessor:
    """Resize, rescale and normalise as a saved ``preprocessor_config.json`` says, with Pillow and numpy only."""

    def __init__(self, config: dict[str, Any]):
        size = config.get("size") or {}
        size = {"shortest_edge": size} if isinstance(size, int) else size
        self.size = size
        crop = config.get("crop_size")
        self.crop = None if not config.get("do_center_crop", bool(crop)) else crop
        self.resample = int(config.get("resample", 2))
        self.image_mean = list(config.get("image_mean") or [0.0] * 3) if config.get("do_normalize", True) else [0.0] * 3
        self.image_std = list(config.get("image_std") or [1.0] * 3) if config.get("do_normalize", True) else [1.0] * 3

    @classmethod
    def from_pretrained(cls, folder: str) -> PillowProcessor:
        """From ``folder/preprocessor_config.json``; plain /255 where there is none."""
        import json

        path = Path(folder) / "preprocessor_config.json"
        return cls(json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"do_normalize": False})

    def __call__(self, picture: Any, return_tensors: str = "pt") -> Any:
        import torch

        picture = self._resized(picture.convert("RGB"))
        x = np.asarray(picture, np.float32) / 255
        x = (x - np.asarray(self.image_mean, np.float32)) / np.asarray(self.image_std, np.float32)
        return _Pixels(torch.from_numpy(np.moveaxis(x, -1, 0).copy())[None])

    def _resized(self, picture: Any) -> Any:
        w, h = picture.size
        if "shortest_edge" in self.size:
            ratio = self.size["shortest_edge"] / min(w, h)
            picture = picture.resize((round(w * ratio), round(h * ratio)), self.resample)
        elif "height" in self.size:
            picture = picture.resize((self.size["width"], self.size["height"]), self.resample)
        if self.crop:
            ch, cw = (self.crop, self.crop) if isinstance(self.crop, int) else (self.crop["height"], self.crop["width"])
            left, top = (picture.width - cw) // 2, (picture.height - ch) // 2
            picture = picture.crop((left, top, left + cw, top + ch))
        return picture


class _Pixels:
    def __init__(self, pixel_values: Any):
        self.pixel_values = pixel_values


def from_torchvision(cls: type[Model], name: str, weights: Any = "DEFAULT", **options: Any) -> Model:
    """See `Model.from_torchvision`."""
    try:
        from torchvision import models
    except Exception as e:  # a torchvision built for another torch fails with RuntimeError, not ImportError
        raise ModelError(f"from_torchvision needs a torchvision that fits this torch ({_first_line(e)}): pip install "
                         "torchvision, or build the module yourself and use Model(module, ...).") from e
    try:
        chosen = models.get_model_weights(name)[weights] if isinstance(weights, str) else weights
    except (KeyError, ValueError) as e:
        known = ", ".join(models.list_models(module=models)[:8])
        raise ModelError(f"torchvision has no model {name!r} with weights {weights!r}: {_first_line(e)}. "
                         f"Models: {known}, …") from e
    try:
        net = models.get_model(name, weights=chosen)
    except OSError as e:  # URLError is one
        raise ModelError(f"the weights of {name!r} are not on this machine and cannot be downloaded "
                         f"({_first_line(e)}). Put the file into torch.hub.get_dir()/checkpoints, or load the "
                         "module yourself and use Model(module, ...).") from e
    if chosen is not None:
        transform = chosen.transforms()
        options.setdefault("classes", chosen.meta["categories"])
        options.setdefault("preprocess", transform)
        options.setdefault("mean", list(transform.mean))
        options.setdefault("std", list(transform.std))
    return cls(net, **options)


def _first_line(e: BaseException) -> str:
    return (str(e).strip().splitlines() or [type(e).__name__])[0]
