"""The ``salwidgets`` command: demo, explain, export, doctor."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError, ModelError, SalwidgetsError

if TYPE_CHECKING:
    from .models import Model


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status (0 fine, 1 a question, model, method or input was refused)."""
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except SalwidgetsError as e:
        print(f"{type(e).__name__}: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="salwidgets", description="Ask a model why, in the notebook.")
    commands = parser.add_subparsers(required=True, metavar="command")
    demo = commands.add_parser("demo", help="open JupyterLab on the quickstart; with --html, write a page and a figure")
    demo.add_argument("--html", metavar="OUT.html", help="write the demo as one self-contained page (and OUT.pdf), and end")
    demo.set_defaults(run=_demo)
    explain = commands.add_parser("explain", help="explain one image and save page, figure and data")
    explain.add_argument("image", metavar="IMAGE")
    explain.add_argument("--question", default="why", help='in words: "why husky rather than wolf"; default: the prediction')
    explain.add_argument("--method", action="append", metavar="NAME[,NAME...]", help="see salwidgets.methods(); default: "
                         "grad-cam. Several are compared on one page, and each has a folder of its own")
    explain.add_argument("--model", default="auto", help="creatures-cnn, creatures-vit, torchvision:NAME, "
                         "transformers:FOLDER; auto: creatures-cnn for 64 x 64 images, else torchvision:resnet50")
    explain.add_argument("--out", default="out/explanation", metavar="DIR")
    explain.set_defaults(run=_explain)
    export = commands.add_parser("export", help="write a notebook as one page whose views stay alive offline")
    export.add_argument("notebook", metavar="NOTEBOOK.ipynb")
    export.add_argument("page", metavar="OUT.html", nargs="?", help="default: beside the notebook")
    export.add_argument("--execute", action="store_true", help="run the notebook first (the file is left as it is)")
    export.set_defaults(run=_export)
    doctor = commands.add_parser("doctor", help="what works on this machine, and how to mend what does not")
    doctor.set_defaults(run=_doctor)
    return parser


def _demo(args: argparse.Namespace) -> int:
    if not args.html:
        return open_lab()
    from .demo import run_demo

    made = run_demo(args.html)
    for explanation, words in zip(made.explanations, made.words, strict=True):
        print(f"{explanation.question}\n  {words}")
    print(f"\nPage:   {made.page.resolve()}\nFigure: {made.figure.resolve()}")
    return 0


def quickstart() -> Path:
    """Where the quickstart notebook is: in the installed package, or in the checkout."""
    here = Path(__file__).resolve().parent
    for place in (here / "notebooks" / "quickstart.ipynb", here.parent / "notebooks" / "quickstart.ipynb"):
        if place.is_file():
            return place
    raise InputError("the quickstart notebook is not part of this installation; get it from the project's repository.")


def open_lab() -> int:
    """Open JupyterLab on a copy of the quickstart in the current folder (an edited copy is kept)."""
    import importlib.util
    import shutil
    import subprocess

    if importlib.util.find_spec("jupyterlab") is None:
        raise InputError("JupyterLab is not installed: pip install 'salwidgets[lab]'. Without it, "
                         "`salwidgets demo --html demo.html` writes the same as a page.")
    source, copy = quickstart(), Path("quickstart.ipynb").resolve()
    if not copy.exists():
        shutil.copyfile(source, copy)
    print(f"Opening {copy} in JupyterLab; stop it with Ctrl-C.")
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(copy)])


def _explain(args: argparse.Namespace) -> int:
    import salwidgets as sw

    from .questions import Question

    if not Path(args.image).is_file():
        raise InputError(f"there is no image {args.image!r}.")
    model = _model(args.model, args.image)
    names = [name.strip() for some in args.method or ["grad-cam"] for name in some.split(",") if name.strip()]
    found = sw.explain(model, args.image, Question.parse(args.question), method=list(dict.fromkeys(names)))
    assert isinstance(found, sw.Explanations)
    several, folder = len(found) > 1, Path(args.out)
    said = [f"{e.method}: {sw.verbalize(e)}" if several else str(sw.verbalize(e)) for e in found]
    for e in found:
        e.save(folder / e.method if several else folder)
    view = sw.Comparison(found) if several else sw.Heatmap(found[0])
    view.save_html(folder / "page.html")
    (view.figure() if several else sw.figures.explanation_figure(found[0])).savefig(folder / "figure.pdf")
    (folder / "words.txt").write_text("\n".join([str(found[0].question), *said, ""]), encoding="utf-8")
    where = f"; in {', '.join(e.method for e in found)} each:" if several else ","
    print("\n  ".join([str(found[0].question), *said]))
    print(f"\nSaved in {folder.resolve()}: page.html, figure.pdf, words.txt{where} arrays.npz, overlay.png, manifest.json")
    return 0


def _export(args: argparse.Namespace) -> int:
    from .widgets import save_notebook

    print(save_notebook(args.notebook, args.page, execute=args.execute))
    return 0


def _model(name: str, image: str) -> Model:
    from PIL import Image

    from .models import Model
    from .worlds import creatures

    if name == "auto":
        try:
            with Image.open(image) as opened:
                small = opened.size == (64, 64)
        except OSError as e:
            raise InputError(f"cannot read the image {image!r}: {e}.") from e
        name = "creatures-cnn" if small else "torchvision:resnet50"
    kind, _, rest = name.partition(":")
    if name in ("creatures-cnn", "creatures-vit"):
        return creatures(n=1).model(name.removeprefix("creatures-"))
    if kind == "torchvision" and rest:
        return Model.from_torchvision(rest)
    if kind == "transformers" and rest:
        return Model.from_transformers(rest)
    raise ModelError(f"--model {name!r} is unknown; use creatures-cnn, creatures-vit, torchvision:NAME or "
                     "transformers:FOLDER.")


def _doctor(args: argparse.Namespace) -> int:
    from .doctor import report

    lines, healthy = report()
    print("\n".join(lines))
    return 0 if healthy else 1
