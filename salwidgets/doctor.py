"""What works on this machine, and how to mend what does not."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from . import __version__


@dataclass(frozen=True)
class Part:
    """A package, what it is for, whether everything needs it, and how to get it."""

    module: str
    purpose: str
    needed: bool
    mend: str


PARTS = (
    Part("torch", "models and explainers", True, "pip install torch"),
    Part("numpy", "maps", True, "pip install numpy"),
    Part("anywidget", "widgets", True, "pip install 'anywidget>=0.11,<0.12'"),
    Part("ipywidgets", "widgets", True, "pip install 'ipywidgets>=8'"),
    Part("matplotlib", "figures for papers", True, "pip install matplotlib"),
    Part("PIL", "reading pictures", True, "pip install Pillow"),
    Part("jupyterlab", "notebooks", False, "pip install 'salwidgets[lab]'"),
    Part("transformers", "Model.from_transformers", False, "pip install 'salwidgets[hf]'"),
    Part("torchvision", "Model.from_torchvision", False, "pip install torchvision (the build for your torch)"),
)


def report() -> tuple[list[str], bool]:
    """Lines to print, and whether everything that is needed works."""
    lines = [f"salwidgets {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"]
    healthy = sys.version_info >= (3, 11)
    if not healthy:
        lines.append("BAD   Python 3.11 or newer is needed")
    for part in PARTS:
        fine, text = _part(part)
        lines.append(text)
        healthy = healthy and (fine or not part.needed)
    for fine, text in (_device(), _bundle(), _answer()):
        lines.append(text)
        healthy = healthy and fine
    lines.append("Everything that is needed works." if healthy else "Something that is needed does not work; see BAD.")
    return lines, healthy


def _line(mark: str, what: str, text: str) -> str:
    return f"{mark:<5} {what:<14} {text}"


def _part(part: Part) -> tuple[bool, str]:
    try:
        importlib.import_module(part.module)
    except Exception as e:  # a package built for another torch fails in its own ways
        mark = "BAD" if part.needed else "-"
        why = "not installed" if isinstance(e, ModuleNotFoundError) else f"does not load ({e})".splitlines()[0]
        return False, _line(mark, part.module, f"{why}; for {part.purpose}: {part.mend}")
    name = {"PIL": "Pillow"}.get(part.module, part.module)
    return True, _line("ok", part.module, importlib.metadata.version(name))


def _device() -> tuple[bool, str]:
    try:
        import torch
    except ImportError:
        return False, _line("BAD", "device", "unknown without torch")
    if torch.cuda.is_available():
        return True, _line("ok", "device", torch.cuda.get_device_name(0))
    return True, _line("ok", "device", f"CPU, {torch.get_num_threads()} threads (no GPU found; everything works, slower)")


def _bundle() -> tuple[bool, str]:
    static = Path(__file__).parent / "widgets" / "static"
    if all((static / name).is_file() for name in ("widget.js", "widget.css", "page.js")):
        return True, _line("ok", "views", f"{(static / 'widget.js').stat().st_size / 1000:.0f} kB bundle")
    return False, _line("BAD", "views", "the built bundle is missing: npm ci && npm run build in js/, or reinstall")


def _answer() -> tuple[bool, str]:
    try:
        import salwidgets as sw

        world = sw.worlds.creatures(n=1)
        e = sw.explain(world.model("cnn"), world.images[0], sw.why(), progress=False)
        return True, _line("ok", "an answer", f"{e.question} in {e.elapsed * 1000:.0f} ms")
    except Exception as e:
        return False, _line("BAD", "an answer", f"{type(e).__name__}: {e}")
