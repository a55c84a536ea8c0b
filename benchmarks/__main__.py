"""python -m benchmarks [GROUP ...] [--out docs/benchmarks.md] [--all] [--device cuda] [--quick] [--threads N]

Measures groups and prints their tables. --out FILE.md: keeps the rows in FILE.json, and writes the page of every group
that was ever measured. Groups that take long (`LONG`) are measured when named, with --all, or where FILE.json lacks them.
--only NAME ...: some methods (passes) or photographs (until) of a group; its other rows stay as they are.
--threads N: how many threads torch may use; one, by default, so that the clock can be the process's own.

A group is a file of this folder with `run(...)`, which returns or yields rows and may take `device`, `quick` and `only`;
the file's docstring heads its table. Its name goes into `GROUPS`. Rows are stored as they come.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import Row, own_clock, table
from benchmarks.store import Store

GROUPS = ("light", "cam", "family", "passes", "peers", "until", "rise", "regions", "masks", "lrp",
          "words_speed", "metrics", "widgets", "classtree", "comparison", "clusterview", "concepts")
LONG = ("until",)
ON_GPU = ("cam", "passes")

_HEAD = """# Benchmarks

Made by `make bench` (`python -m benchmarks --out docs/benchmarks.md`; name a group to measure it alone). Ratios are
medians over turns in one process, ours and the other's one after the other. With one thread the clock is the process's
own, so that what else the machine does counts less. A bound that is missed says so.
"""


def measure(group: str, args: argparse.Namespace, store: Store | None) -> list[Row]:
    """The rows of one group; each is printed, and stored with ``store``, as it comes."""
    run = importlib.import_module(f"benchmarks.{group}").run
    given = {"device": args.device, "quick": args.quick, "only": args.only}
    about = machine(args.device, args.quick)
    rows: list[Row] = []
    for row in run(**{k: given[k] for k in inspect.signature(run).parameters if k in given}):
        rows.append(row)
        print(f"{group}: {row.what}: {row.figure:.3g} {row.unit} {row.verdict} {row.remark}", flush=True)
        if store:
            keep(store, {"group": group, "device": args.device, "machine": about}, rows, False)
    if store and rows and args.only is None:
        keep(store, {"group": group, "device": args.device, "machine": about}, rows, True)
    return rows


def keep(store: Store, about: dict[str, Any], rows: list[Row], all_there: bool) -> None:
    """Put rows in the place of those of the same name; ``all_there``: the group has no others any more."""
    new = {r.what: asdict(r) for r in rows}
    old = store.read().get((about["group"], about["device"]), {"rows": []})["rows"]
    others = [] if all_there else [r for r in old if r["what"] not in new]
    store.put({**about, "rows": others + list(new.values())})


def machine(device: str, quick: bool) -> str:
    """What was measured on."""
    where = torch.cuda.get_device_name() if device == "cuda" else _processor()
    clock = "the process's own time" if own_clock() else "wall time"
    return (f"{where}, {os.cpu_count()} cores, {torch.get_num_threads()} thread(s), torch {torch.__version__}, {clock}"
            + (", few runs" if quick else ""))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] \
        if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def page(groups: list[dict[str, Any]]) -> str:
    """The page of all stored groups, in the order of `GROUPS`."""
    rows = [(g, [Row(**r) for r in g["rows"]]) for g in sorted(groups, key=lambda g: GROUPS.index(g["group"]))]
    missed = [f"* {g['group']}: {r.what}: {r.figure:.3g} {r.unit}, bound {r.bound:g}" for g, some in rows for r in some
              if r.verdict == "MISSED"]
    parts = [_HEAD, "Bounds missed:\n\n" + "\n".join(missed) + "\n" if missed else "No bound is missed.\n"]
    for g, some in rows:
        said = (importlib.import_module(f"benchmarks.{g['group']}").__doc__ or "").strip()
        parts.append(f"## {g['group']}" + (f" on {g['device']}" if g["device"] != "cpu" else "")
                     + f"\n\n{said}\n\nOn {g['machine']}.\n\n{table(some)}\n")
    return "\n".join(parts)


def main() -> None:
    """Measure the groups asked for (all by default), print them, and with --out store them and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", choices=[[], *GROUPS], metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--all", action="store_true", help="the long groups again, too")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="some methods of the group")
    parser.add_argument("--none", action="store_true", help="measure nothing; write the page of what is stored")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--quick", action="store_true", help="fewer runs, fewer masks")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="torch's threads (1)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # for the processes that measure memory
    store = Store(args.out.with_suffix(".json"), ("group", "device")) if args.out else None
    stored = store.read() if store else {}
    chosen = args.groups or [g for g in (ON_GPU if args.device == "cuda" else GROUPS)
                             if g not in LONG or args.all or (g, args.device) not in stored]
    for group in [] if args.none else chosen:
        rows = measure(group, args, store)
        print(f"\n{machine(args.device, args.quick)}\n\n{table(rows)}\n", flush=True)
    if store:
        args.out.write_text(page(list(store.read().values())), encoding="utf-8")


if __name__ == "__main__":
    main()
