"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vaekit.errors import RunError

PARTIAL = ".partial-"  # how the name of a file that is not complete begins


def write_whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name beside its place, then move it there.

    Args:
        path: where the file is to stand; one that stands there already is kept until the new one is complete.
        write: writes the file it is given the path of; the temporary name has the same ending.

    Raises:
        RunError: the folder cannot be written, or the disk is full; nothing is left behind.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{PARTIAL}{secrets.token_hex(4)}{path.suffix}")
        write(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise RunError(f"Cannot write {path}: {_reason(error)}. Nothing that was there before is lost.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole."""
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write a JSON file whole."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full; free some space or choose another folder"
    return error.strerror or str(error)
