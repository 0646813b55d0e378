"""Reading files: opened with a plain sentence for what is wrong."""

import re
from pathlib import Path

import pytest

from vaekit.data.files import check_file, opened
from vaekit.errors import DataError


def test_a_missing_file_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "faces.npy").write_bytes(b"x")
    message = f"There is no file {str(tmp_path / 'face.npy')!r} (did you mean 'faces.npy'?)."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        check_file(tmp_path / "face.npy")


def test_gzip_is_seen_by_its_first_bytes_and_damage_is_named(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "a"
    path.write_bytes(gzip.compress(b"hello " * 1000))
    with opened(path) as file:
        assert file.read() == b"hello " * 1000
    path.write_bytes(path.read_bytes()[:-12])
    message = f"^{re.escape(repr(str(path)))} is damaged: it cannot be decompressed to its end.$"
    with pytest.raises(DataError, match=message), opened(path) as file:
        file.read()
