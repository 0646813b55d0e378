"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from vaekit.errors import WriteError

PARTIAL = ".part"  # how the name of a file that is not complete ends


def check_plain(target: Path, path: str | Path) -> None:
    """Raise a WriteError, which names it `path`, where something is that no file may replace."""
    if target.is_dir():
        raise WriteError(f"{os.fspath(path)!r} is a folder where a file is to be written.")
    if target.exists() and not target.is_file():
        raise WriteError(f"{os.fspath(path)!r} is a pipe or a device, which no file replaces: write to a file.")


@contextlib.contextmanager
def written_whole(path: str | Path, *, new: bool = False) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` once the block ends well, and vanishes otherwise.

    Args:
        path: the file to write. It keeps what it holds until the new content is complete and on disk.
        new: whether to refuse a file that is there, even one that appeared in the meantime.

    Raises:
        FileExistsError: the file is to be new, and there is one.
        WriteError: the folder is missing or cannot be written to, a pipe or a device is there, or the disk is full.
    """
    target = Path(os.path.realpath(path))
    check_plain(target, path)
    if not target.parent.is_dir():
        raise WriteError(f"{os.fspath(path)!r} cannot be written: there is no folder {os.fspath(Path(path).parent)!r}.")
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        # "+" also keeps numpy from writing past this object, where it would drop the system's error number.
        with part.open("x+b") as file:
            if target.exists():  # who may read it stays as it is
                with contextlib.suppress(OSError):
                    shutil.copymode(target, part)
            yield file
            file.flush()
            os.fsync(file.fileno())
        _put_new(part, target) if new else os.replace(part, target)
        sync_folder(target.parent)
    except OSError as error:
        if new and isinstance(error, FileExistsError):
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        reason = "the disk is full" if full else error.strerror or str(error)
        raise WriteError(f"{os.fspath(path)!r} cannot be written: {reason}; nothing was changed.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def sync_folder(folder: str | Path) -> None:
    """Put on disk which names a folder holds, where the system can: else a power cut may undo a file's new name."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):  # the files are there, and not every file system can do it
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _put_new(part: Path, target: Path) -> None:
    """Give a file its name; of several processes that try, one succeeds."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        target.open("xb").close()
        os.replace(part, target)


def write_text(path: str | Path, text: str, *, new: bool = False) -> None:
    """Write a text file whole; `new` is as of `written_whole`."""
    with written_whole(path, new=new) as file:
        file.write(text.encode())


def write_json(path: str | Path, value: Any, *, new: bool = False) -> None:
    """Write a JSON file whole; `new` is as of `written_whole`."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", new=new)


def make_folder(path: str | Path) -> Path:
    """Make a folder, and those above it, unless it is there.

    Raises:
        WriteError: it cannot be made.
    """
    try:
        above = [place.parent for place in (Path(path), *Path(path).parents) if not place.exists()]
        Path(path).mkdir(parents=True, exist_ok=True)
        for folder in above:
            sync_folder(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(f"The folder {os.fspath(path)!r} cannot be made: {reason}.") from error
    return Path(path)
