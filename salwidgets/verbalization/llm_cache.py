"""Answers of a language model kept on disk by content: the same question to the same model is asked once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ..errors import InputError


class AnswerCache:
    """A folder of small JSON files named by the SHA-256 of what was asked. Holds answers and token counts only: no
    prompt, no picture, no key. Files that cannot be read are treated as absent."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise InputError(f"cache={str(folder)!r} cannot be made a folder: {e}.") from e

    @staticmethod
    def key(request: dict[str, Any], where: str) -> str:
        """SHA-256 of a request and the server it goes to; whether it streams makes no difference."""
        kept = {k: v for k, v in request.items() if not k.startswith("stream")}
        text = json.dumps([kept, where], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def get(self, key: str) -> dict[str, Any] | None:
        """What `put` kept under ``key``, or None."""
        try:
            found = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        good = isinstance(found, dict) and isinstance(found.get("text"), str) and all(
            isinstance(found.get(name), int) for name in ("prompt_tokens", "completion_tokens"))
        return found if good else None

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Keep an answer. A full disk costs the cache, not the answer."""
        with contextlib.suppress(OSError):
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(answer, file, ensure_ascii=False)
                os.replace(name, self.folder / f"{key}.json")  # never half a file, whoever writes beside us
            except OSError:
                os.unlink(name)
                raise
