"""IDX files and folders of pictures, pixel for pixel."""

import gzip
import hashlib
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vaekit.data import read
from vaekit.data.images import IDX_TYPES, load_idx
from vaekit.errors import DataError


def idx(X: np.ndarray, code: int) -> bytes:
    return bytes([0, 0, code, X.ndim]) + struct.pack(f">{X.ndim}I", *X.shape) + X.astype(IDX_TYPES[code]).tobytes()


def refused(path: Path, kind: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read(path, kind)
    return str(caught.value).replace(repr(str(path)), "PATH")


@pytest.mark.parametrize("code", IDX_TYPES)
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_of_every_type(tmp_path: Path, code: int, zipped: bool) -> None:
    X = np.arange(24).reshape(2, 3, 4) * (1 if code == 0x08 else -1)
    path = tmp_path / ("x-idx3-ubyte.gz" if zipped else "x.idx")
    path.write_bytes(gzip.compress(idx(X, code)) if zipped else idx(X, code))
    data = read(path)
    assert np.array_equal(data.X, X)
    assert data.X.dtype == np.dtype(IDX_TYPES[code]).newbyteorder("=")
    assert (data.kind, read(path, "array").X.shape) == ("images", (2, 12))


def test_idx_without_an_ending_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(idx(np.ones((2, 3, 4)), 0x08))
    assert read(tmp_path / "images").X.shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-1], "PATH is damaged: its header announces 24 bytes, it holds 23."),
        (lambda b: b + b"\0", "PATH is damaged: its header announces 24 bytes, it holds more."),
        (lambda b: b[:9], "PATH is damaged: it ends within its header."),
        (lambda b: b"\0\0\x07" + b[3:], "PATH is not an IDX file, or it is damaged."),
        (
            lambda b: b[:4] + b"\xff" * 12 + b[16:],
            "PATH is damaged: its header announces 79,228,162,458,924,105,385,300,197,375 bytes, it holds 24.",
        ),
    ],
)
def test_damaged_idx(tmp_path: Path, change: Callable[[bytes], bytes], message: str) -> None:
    (tmp_path / "x.idx").write_bytes(change(idx(np.ones((2, 3, 4)), 0x08)))
    assert refused(tmp_path / "x.idx") == message


def test_idx_of_labels_alone_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "x-idx1-ubyte").write_bytes(idx(np.arange(5), 0x08))
    message = "PATH has the shape (5,), but a row for each example is needed, so at least two dimensions."
    assert refused(tmp_path / "x-idx1-ubyte") == message
    assert load_idx(tmp_path / "x-idx1-ubyte").tolist() == [0, 1, 2, 3, 4]


GREY = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
COLOUR = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14


def test_grey_images_sorted_by_name(tmp_path: Path) -> None:
    for number, name in enumerate(["c.bmp", "a.png", "b.tif"]):
        Image.fromarray(GREY + number).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_bytes(b"not an image")
    data = read(tmp_path)
    assert (data.kind, data.X.dtype, data.y) == ("images", np.uint8, None)
    assert np.array_equal(data.X, [GREY + 1, GREY + 2, GREY])
    assert data.note == f"3 grey images of 2 x 3 from {str(tmp_path)!r}"
    assert read(tmp_path, "array").X.tolist() == data.X.reshape(3, 6).tolist()


def test_one_colour_image_makes_all_rgb(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    Image.fromarray(COLOUR).save(tmp_path / "B.PNG")
    Image.fromarray(np.dstack([COLOUR, GREY])).save(tmp_path / "c.webp", lossless=True, exact=True)
    data = read(tmp_path)
    assert data.X.shape == (3, 3, 2, 3)
    assert np.array_equal(data.X[0], COLOUR.transpose(2, 0, 1))
    assert np.array_equal(data.X[1], [GREY, GREY, GREY])
    assert np.array_equal(data.X[2], COLOUR.transpose(2, 0, 1))
    assert data.note == f"3 RGB images of 2 x 3 from {str(tmp_path)!r}; transparency left out"


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "bmp", "gif", "tif", "tiff", "webp"])
def test_every_format_is_read(tmp_path: Path, ending: str) -> None:
    Image.new("RGB", (16, 8), (200, 40, 90)).save(tmp_path / f"a.{ending}")
    X = read(tmp_path).X
    assert X.shape == (1, 3, 8, 16)
    assert np.abs(X[0].transpose(1, 2, 0).astype(int) - (200, 40, 90)).max() <= 3


@pytest.mark.parametrize("colour", [2, 4, 6])  # RGB, grey with alpha, RGB with alpha
def test_sixteen_bits_a_channel_are_refused(tmp_path: Path, colour: int) -> None:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    row = bytes(1 + 2 * 4 * {2: 3, 4: 2, 6: 4}[colour])
    parts = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, colour, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(row * 4))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IEND", b""))
    assert refused(tmp_path).endswith("has more than 8 bits a channel, which images here cannot have.")


@pytest.mark.parametrize("ending", ["jpg", "tif", "webp"])
@pytest.mark.parametrize("turn", [1, 3, 6, 8, 9, 200])
def test_photographs_are_turned_upright(tmp_path: Path, ending: str, turn: int) -> None:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, 12:] = 250  # the right quarter is light
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}", exif=exif, quality=100)
    light = read(tmp_path).X[0].mean(0) > 128
    expected = np.rot90(pixels[..., 0] > 128, {3: 2, 6: 3, 8: 1}.get(turn, 0))
    assert light.shape == expected.shape and (light == expected).mean() > 0.9


def test_subfolders_are_labels(tmp_path: Path) -> None:
    for name, number in [("dog/1.png", 1), ("cat/2.png", 2), ("dog/0.png", 0)]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(GREY + number).save(tmp_path / name)
    data = read(tmp_path)
    assert np.array_equal(data.X, [GREY + 2, GREY, GREY + 1])
    assert (data.y.tolist(), data.label_names) == ([0, 1, 1], ("cat", "dog"))
    assert data.note.endswith("; labels from 2 subfolders")
    Image.fromarray(GREY).save(tmp_path / "z.png")
    assert (read(tmp_path).y, read(tmp_path).label_names) == (None, None)


def test_folders_that_cannot_be_read(tmp_path: Path) -> None:
    endings = ".png .jpg .jpeg .bmp .gif .tif .tiff .webp"
    assert refused(tmp_path) == f"The folder PATH holds no images ({endings})."
    Image.fromarray(GREY).save(tmp_path / "a.png")
    Image.fromarray(GREY.T).save(tmp_path / "b.png")
    message = "The images in PATH differ in size: 'a.png' has 3 x 2 pixels, 'b.png' has 2 x 3."
    assert refused(tmp_path) == message
    b = repr(str(tmp_path / "b.png"))
    Image.fromarray(GREY.astype(np.uint16)).save(tmp_path / "b.png")
    assert refused(tmp_path) == f"{b} has more than 8 bits a channel, which images here cannot have."
    (tmp_path / "b.png").write_bytes(b"hello")
    assert refused(tmp_path) == f"{b} is not an image, or it is damaged."
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (2, 3), np.uint8)).save(tmp_path / "b.bmp")
    (tmp_path / "b.png").unlink()
    (tmp_path / "b.bmp").write_bytes((tmp_path / "b.bmp").read_bytes()[:-6])
    b = repr(str(tmp_path / "b.bmp"))
    assert refused(tmp_path) == f"{b} is damaged: its pixels cannot be read to the end."
    assert refused(tmp_path, "graph") == (
        "The folder PATH holds no edges.csv (or edges.tsv, edges.txt), so it is no graph."
    )


def test_an_animation_gives_its_first_frame_and_says_so(tmp_path: Path) -> None:
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    data = read(tmp_path)
    assert np.array_equal(data.X, [GREY])
    assert data.note.endswith("; only the first frame of animations")


def test_mnist_is_bit_exact(vaekit_data: Callable[[str], Path]) -> None:
    for name, md5 in [("train", "6bbc9ace898e44ae57da46a324031adb"), ("t10k", "2646ac647ad5339dbf082846283269ea")]:
        X = read(vaekit_data("mnist") / f"{name}-images-idx3-ubyte.gz").X
        assert hashlib.md5(idx(X, 0x08)).hexdigest() == md5
