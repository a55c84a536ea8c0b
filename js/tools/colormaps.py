"""Write the colour tables for Python and the browser from matplotlib's own maps.

Run `python js/tools/colormaps.py`; tests check that both files equal what this would write.
"""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SEQUENTIAL = ("viridis", "cividis", "inferno", "magma")
#: name -> the stretch of matplotlib's map that is used. RdBu_r's ends are almost black: the darkest 5 % are cut.
DIVERGING = {"RdBu_r": (0.05, 0.95), "coolwarm": (0.0, 1.0)}


def tables() -> dict[str, np.ndarray]:
    """uint8 [256, 3] per colour map."""
    import matplotlib

    spans = {**DIVERGING, **dict.fromkeys(SEQUENTIAL, (0.0, 1.0))}
    found = {}
    for name, (low, high) in spans.items():
        whole = matplotlib.colormaps[name]
        # A stretch of 256 colours holds fewer than 256: ask matplotlib for a finer map first.
        colours = whole if (low, high) == (0.0, 1.0) else whole.resampled(4096)
        found[name] = np.round(colours(np.linspace(low, high, 256))[:, :3] * 255).astype(np.uint8)
    return found


def python_source(found: dict[str, np.ndarray]) -> str:
    """`salwidgets/colortables.py`."""
    lines = ['"""Colour tables, 256 RGB triples each, base64. Written by js/tools/colormaps.py; do not edit."""', "",
             "from __future__ import annotations", "", f"DIVERGING = {tuple(DIVERGING)!r}".replace("'", '"'),
             "TABLES = {"]
    for name, table in found.items():
        text = base64.b64encode(table.tobytes()).decode()
        lines.append(f'    "{name}": (')
        lines += [f'        "{text[i:i + 96]}"' for i in range(0, len(text), 96)]
        lines.append("    ),")
    return "\n".join([*lines, "}", ""])


def typescript_source(found: dict[str, np.ndarray]) -> str:
    """`js/src/colormap.gen.ts`."""
    lines = ["// Colour tables, 256 RGB triples each, base64. Written by js/tools/colormaps.py; do not edit.",
             f"export const DIVERGING: readonly string[] = {list(DIVERGING)!r};".replace("'", '"'),
             "export const TABLES: Readonly<Record<string, string>> = {"]
    for name, table in found.items():
        lines.append(f'  {name}:\n    "{base64.b64encode(table.tobytes()).decode()}",')
    return "\n".join([*lines, "};", ""])


def targets() -> dict[Path, str]:
    """Path -> the text that belongs there."""
    found = tables()
    return {
        ROOT / "salwidgets" / "colortables.py": python_source(found),
        ROOT / "js" / "src" / "colormap.gen.ts": typescript_source(found),
    }


if __name__ == "__main__":
    for path, text in targets().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
