"""Build hook: a wheel always holds a bundle that was built from the sources beside it.

Where the TypeScript sources are there, `npm ci && npm run build` runs; without npm, a bundle that was built before
is taken as it is. Without both the build fails: a wheel without its views would only fail later, in a notebook.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = ("widget.js", "page.js", "widget.css")


class BundleHook(BuildHookInterface):
    """Runs before wheel and sdist. SALWIDGETS_SKIP_BUNDLE=1 takes the bundle that is there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        static = root / "salwidgets" / "widgets" / "static"
        npm = shutil.which("npm")
        skip = version == "editable" or os.environ.get("SALWIDGETS_SKIP_BUNDLE") == "1"
        if (root / "js" / "build.mjs").exists() and npm and not (skip and self._complete(static)):
            for command in ([npm, "ci"], [npm, "run", "build"]):
                done = subprocess.run(command, cwd=root / "js", capture_output=True, text=True, check=False)
                if done.returncode:
                    raise RuntimeError(f"`{' '.join(command)}` failed in js/:\n{done.stdout}\n{done.stderr}")
        if not self._complete(static):
            raise RuntimeError(f"{static} lacks one of {', '.join(BUNDLE)} and cannot be built: install Node 20 or "
                               "newer with npm, then run `npm ci && npm run build` in js/.")
        build_data["artifacts"].extend(f"salwidgets/widgets/static/{name}" for name in BUNDLE)

    @staticmethod
    def _complete(static: Path) -> bool:
        return all((static / name).is_file() and (static / name).stat().st_size for name in BUNDLE)
