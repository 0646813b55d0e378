"""Files are written whole or not at all."""

import errno
import os
import re
import resource
from pathlib import Path

import numpy as np
import pytest

from vaekit.cli.output import check_output
from vaekit.errors import WriteError
from vaekit.files import make_folder, written_whole


def test_written_whole_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with written_whole(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_write_keeps_the_earlier_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), written_whole(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"old")
    (tmp_path / "a.bin").symlink_to("b.bin")
    with written_whole(tmp_path / "a.bin") as file:
        file.write(b"new")
    assert (tmp_path / "a.bin").is_symlink()
    assert (tmp_path / "b.bin").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "Permission denied")]
)
def test_what_the_system_says_against_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with (
        pytest.raises(
            WriteError, match=f"^{re.escape(repr(str(path)))} cannot be written: {reason}; nothing was changed.$"
        ),
        written_whole(path) as file,
    ):
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_real_limit_met_halfway_by_numpy(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(WriteError, match="cannot be written: the disk is full;"), written_whole(path) as file:
            np.save(file, np.arange(10_000.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.npy"]


def test_no_folder_to_write_in(tmp_path: Path) -> None:
    path = tmp_path / "no" / "a.bin"
    message = f"{str(path)!r} cannot be written: there is no folder {str(tmp_path / 'no')!r}."
    with pytest.raises(WriteError, match=f"^{re.escape(message)}$"), written_whole(path):
        pass
    with pytest.raises(WriteError, match=r"is a folder where a file is to be written\.$"), written_whole(tmp_path):
        pass


@pytest.mark.skipif(os.name != "posix", reason="pipes and modes of files are POSIX's")
def test_pipes_and_devices_are_not_replaced_and_modes_are_kept(tmp_path: Path) -> None:
    pipe, private = tmp_path / "pipe.csv", tmp_path / "a.csv"
    os.mkfifo(pipe)
    (tmp_path / "null.csv").symlink_to(os.devnull)
    for path in (pipe, tmp_path / "null.csv"):
        message = f"{str(path)!r} is a pipe or a device, which no file replaces: write to a file."
        with pytest.raises(WriteError, match=f"^{re.escape(message)}$"), written_whole(path):
            pass
        with pytest.raises(WriteError, match=f"^{re.escape(message)}$"):
            check_output(path)
    assert pipe.is_fifo() and Path(os.devnull).is_char_device()
    private.touch(mode=0o600)
    with written_whole(private) as file:
        file.write(b"new")
    assert private.stat().st_mode & 0o777 == 0o600 and private.read_bytes() == b"new"


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_takes_no_other_files_place(links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    if not links:

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    with written_whole(path, new=True) as file:
        file.write(b"first")
    with pytest.raises(FileExistsError), written_whole(path, new=True) as file:
        file.write(b"second")
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX alone")
def test_the_new_name_is_put_on_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, sync = [], os.fsync

    def note(number: int) -> None:
        at = os.fstat(number).st_ino
        places = [tmp_path, *tmp_path.rglob("*")]
        synced.extend((path.name, (tmp_path / "a.bin").exists()) for path in places if path.stat().st_ino == at)
        sync(number)
        if synced[-1][0] == tmp_path.name:
            raise OSError(errno.EINVAL, "Invalid argument")  # as some file systems say, which costs nothing

    monkeypatch.setattr(os, "fsync", note)
    with written_whole(tmp_path / "a.bin") as file:
        file.write(b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    (name, complete), folder = synced
    assert name.endswith(".part") and not complete and folder == (tmp_path.name, True)
    synced.clear()
    make_folder(tmp_path / "b" / "c")
    assert {name for name, _ in synced} == {"b", tmp_path.name}
