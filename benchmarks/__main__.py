"""python -m benchmarks [light|cam|family|rise|regions|widgets ...] [--device cuda] [--quick]: print the table."""

from __future__ import annotations

import argparse
import platform

import torch

from benchmarks import cam, family, light, rise
from benchmarks.measure import Row, table


def main() -> None:
    """Run the groups asked for (all by default) and print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", default=["light", "cam", "family", "rise", "regions", "widgets"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="fewer runs; RISE's peak memory with 1000 masks")
    args = parser.parse_args()
    rows: list[Row] = []
    for group in args.groups:
        if group == "cam":
            rows += cam.run(args.device, 5 if args.quick else 15)
        elif group == "family":
            rows += family.run()
        elif group == "rise":
            rows += rise.run(1000 if args.quick else 8000)
        elif group == "light":
            rows += light.run()
        elif group == "regions":
            from benchmarks import regions

            rows += regions.run()
        elif group == "widgets":
            from benchmarks import widgets

            rows += widgets.run()
        else:
            parser.error(f"no group {group!r}; there are light, cam, family, rise, regions, widgets")
    print(f"\n{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, {args.device}\n")
    print(table(rows))


if __name__ == "__main__":
    main()
