"""Rows of a table, kept beside it as JSON: what was measured stays when something else is measured again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Key = tuple[str, ...]


class Store:
    """Rows in a JSON file, one per line, each known by the values of its ``key`` fields."""

    def __init__(self, path: Path, key: tuple[str, ...]):
        self.path, self.key = path, key

    def read(self) -> dict[Key, dict[str, Any]]:
        """Every row by its key; none where there is no file."""
        if not self.path.exists():
            return {}
        return {tuple(r[k] for k in self.key): r for r in json.loads(self.path.read_text(encoding="utf-8"))}

    def put(self, row: dict[str, Any]) -> None:
        """Add a row, or replace the one of the same key. The file is read anew first: others may have added theirs."""
        rows = self.read()
        rows[tuple(row[k] for k in self.key)] = row
        text = "[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows.values()) + "\n]\n"
        beside = self.path.with_suffix(f".{os.getpid()}.tmp")
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, self.path)
