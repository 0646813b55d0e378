"""Reading images: IDX files (MNIST's format) and folders of pictures."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from vaekit.data.files import opened, quoted, reading
from vaekit.data.kinds import array_dataset
from vaekit.errors import DataError
from vaekit.schema import Dataset

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CHUNK = 1 << 20
_OF_CAMERAS = ("JPEG", "MPO", "WEBP")  # formats that pillow does not turn upright by itself, as it does TIFF
_ORIENTATION = 0x0112  # of EXIF

# What pillow was seen to raise on damaged pictures (its UnidentifiedImageError is an OSError).
_DAMAGE = (OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, MemoryError, struct.error, zlib.error)


def is_idx(start: bytes) -> bool:
    """Whether a file that starts with these bytes (at least 4) is an IDX file."""
    return len(start) >= 4 and start[:2] == b"\0\0" and start[2] in IDX_TYPES and start[3] > 0


def load_idx(path: Path) -> np.ndarray:
    """The array of an IDX file, plain or compressed by gzip, in the machine's byte order.

    The header is two zero bytes, a byte for the type, a byte for the number of dimensions and four big-endian bytes
    for the length of each; the values follow, and their number is checked.

    Raises:
        DataError: the file is missing, of another format, or shorter or longer than its header says.
    """
    with opened(path) as file:
        start = file.read(4)
        if not is_idx(start):
            raise DataError(f"{quoted(path)} is not an IDX file, or it is damaged.")
        lengths = file.read(4 * start[3])
        if len(lengths) < 4 * start[3]:
            raise DataError(f"{quoted(path)} is damaged: it ends within its header.")
        shape = struct.unpack(f">{start[3]}I", lengths)
        dtype = np.dtype(IDX_TYPES[start[2]])
        expected = math.prod(shape) * dtype.itemsize
        data = bytearray()
        while len(data) <= expected and (chunk := file.read(min(_CHUNK, expected + 1 - len(data)))):
            data += chunk
    if len(data) != expected:
        found = "more" if len(data) > expected else f"{len(data):,}"
        raise DataError(f"{quoted(path)} is damaged: its header announces {expected:,} bytes, it holds {found}.")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def read_idx(path: Path, kind: str | None = None) -> Dataset:
    """Read an IDX file as rows or images; see `load_idx`.

    Args:
        path: the file.
        kind: "array", "table" or "images"; None tells it from the shape.
    """
    return array_dataset(str(path), {"X": load_idx(path)}, kind, quoted(path))


def read_folder(folder: Path, kind: str | None = None) -> Dataset:
    """Read the pictures of a folder and its subfolders, sorted by name, as (n, H, W) or (n, 3, H, W) uint8.

    Grey pictures only: (n, H, W). Any other: (n, 3, H, W), the grey ones with three equal channels. Transparency is
    left out, of an animation the first frame is taken, and photographs are turned upright as their EXIF data say. If
    all pictures lie in subfolders, y is the number of the subfolder, sorted by name, and `label_names` their names.

    Raises:
        DataError: there are no pictures, one is damaged or has more than 8 bits a channel, or their sizes differ.
    """
    with reading(folder):
        names = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.suffix.lower() in IMAGE_ENDINGS]
        names = [name for name in names if not any(part.startswith(".") for part in name.parts)]
        names = [name for name in names if (folder / name).is_file()]
    if not names:
        raise DataError(f"The folder {quoted(folder)} holds no images ({' '.join(IMAGE_ENDINGS)}).")
    grey, remarks, (width, height) = True, set(), _look(folder / names[0])[0]
    for name in names:
        size, is_grey, found = _look(folder / name)
        if size != (width, height):
            raise DataError(
                f"The images in {quoted(folder)} differ in size: {quoted(names[0])} has {width} x {height} pixels, "
                f"{quoted(name)} has {size[0]} x {size[1]}."
            )
        grey = grey and is_grey
        remarks |= found
    X = np.empty((len(names), *(() if grey else (3,)), height, width), np.uint8)
    for row, name in zip(X, names, strict=True):
        row[...] = _pixels(folder / name, grey)
    parts, extra = {"X": X}, {}
    if all(len(name.parts) > 1 for name in names):
        labels = sorted({name.parts[0] for name in names})
        parts["y"] = np.array([labels.index(name.parts[0]) for name in names])
        extra["label_names"] = tuple(labels)
        remarks.add(f"labels from {len(labels)} subfolders")
    what = f"{len(names):,} {'grey' if grey else 'RGB'} images of {height} x {width} from {quoted(folder)}"
    note = "; ".join([what, *sorted(remarks)])
    return array_dataset(str(folder), parts, kind or "images", quoted(folder), note, **extra)


def _look(path: Path) -> tuple[tuple[int, int], bool, set[str]]:
    """Width and height of a picture, whether it is grey, and what of it will be left out."""
    with _open(path) as picture:
        remarks = set()
        if "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info:
            remarks.add("transparency left out")
        if getattr(picture, "is_animated", False):
            remarks.add("only the first frame of animations")
        size = picture.size if _turn(picture) < 5 else picture.size[::-1]
        return size, picture.mode in ("1", "L", "LA", "La"), remarks


def _open(path: Path) -> Any:
    from PIL import Image

    try:
        picture = Image.open(path)
    except Image.DecompressionBombError as error:
        raise DataError(f"{quoted(path)} is refused: it has more pixels than any sound picture.") from error
    except _DAMAGE as error:
        raise DataError(f"{quoted(path)} is not an image, or it is damaged.") from error
    deep = picture.format in ("PNG", "TIFF") and any(";16" in str(tile[3]) for tile in picture.tile)
    if deep or picture.mode.startswith(("I", "F")):
        picture.close()
        raise DataError(f"{quoted(path)} has more than 8 bits a channel, which images here cannot have.")
    return picture


def _turn(picture: Any) -> int:
    """How a camera was held, 1 to 8 by EXIF; 1 of other pictures, and where that cannot be read."""
    if picture.format not in _OF_CAMERAS:
        return 1
    try:
        turn = picture.getexif().get(_ORIENTATION)
    except _DAMAGE:
        return 1
    return turn if turn in range(1, 9) else 1


def _pixels(path: Path, grey: bool) -> np.ndarray:
    from PIL import ImageOps

    with _open(path) as picture:
        try:
            upright = ImageOps.exif_transpose(picture) if _turn(picture) != 1 else picture
            pixels = np.asarray(upright.convert("L" if grey else "RGB"))
        except _DAMAGE as error:
            raise DataError(f"{quoted(path)} is damaged: its pixels cannot be read to the end.") from error
    return pixels if grey else pixels.transpose(2, 0, 1)
