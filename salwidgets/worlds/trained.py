"""The nets' weights: kept as 16-bit floats in one small archive per net, never as pickles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from .nets import NETS, CreatureNet

WEIGHTS = Path(__file__).parent / "weights"


def save(net: nn.Module, path: Path) -> None:
    """Write every parameter as float16 and the running statistics of BatchNorm as float32."""
    arrays = {}
    for name, tensor in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        kept = np.float32 if "running_" in name else np.float16
        arrays[name] = tensor.detach().cpu().numpy().astype(kept)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def load(name: str, folder: Path = WEIGHTS) -> CreatureNet:
    """The trained net "cnn" or "vit" in evaluation mode, float32, on the CPU. `InputError` for other names."""
    if name not in NETS:
        raise InputError(
            f"the creatures world has no net {name!r}; choose one of {', '.join(map(repr, NETS))}."
        )
    net = NETS[name]()
    restore(net, folder / f"{name}.npz", f"python -m salwidgets.worlds.train --net {name} --out {folder}")
    return net


def restore(net: nn.Module, path: Path, command: str) -> None:
    """Fill ``net`` with the weights in ``path`` and put it in evaluation mode; ``command`` makes them anew."""
    if not path.is_file():
        raise InputError(f"{path} is missing; train the net with: {command}")
    with np.load(path, allow_pickle=False) as arrays:
        state = {key: torch.from_numpy(arrays[key].astype(np.float32)) for key in arrays.files}
    missing, unexpected = net.load_state_dict(state, strict=False)
    if unexpected or any(not key.endswith("num_batches_tracked") for key in missing):
        raise InputError(
            f"{path} does not fit the net: missing {missing}, unexpected {unexpected}. Train it again."
        )
    net.eval()
