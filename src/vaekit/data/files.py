"""Files as they are: opened with a plain sentence for what is wrong, read through gzip where they need it."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vaekit.errors import DataError, did_you_mean

GZIP_MAGIC = b"\x1f\x8b"


def quoted(path: str | os.PathLike[str]) -> str:
    """The path in quotes, as it stands in messages."""
    return repr(os.fspath(path))


def check_file(path: Path) -> None:
    """Raise a DataError unless `path` is a file with something in it."""
    with reading(path):
        if path.is_dir():
            raise DataError(f"{quoted(path)} is a folder where a file is needed.")
        if not path.exists() and path.is_symlink():
            raise DataError(f"{quoted(path)} is a link that leads nowhere: mend it, or name the file itself.")
        if not path.exists():
            raise DataError(f"There is no file {quoted(path)}{did_you_mean(path.name, _siblings(path))}.")
        if path.is_file() and path.stat().st_size == 0:
            raise DataError(f"{quoted(path)} is empty.")


def _siblings(path: Path) -> list[str]:
    try:
        return os.listdir(path.parent)
    except OSError:
        return []


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says against reading `path` into a DataError that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{quoted(path)} is damaged: it cannot be decompressed to its end.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{quoted(path)} cannot be read: {reason}.") from error


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, through gzip where its first bytes say so."""
    check_file(path)
    with reading(path), contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        zipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
        yield stack.enter_context(gzip.GzipFile(fileobj=file)) if zipped else file  # type: ignore[misc]
