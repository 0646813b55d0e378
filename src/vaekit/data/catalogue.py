"""The data sets known by name: what each is, which files hold it, and what their decoded content must be."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vaekit.data import decoders
from vaekit.data.decoders import Parts

_NIST = "none stated by its makers; often given as CC BY-SA 3.0"
_STATIC = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist"


@dataclass(frozen=True)
class File:
    """A file of a data set.

    Attributes:
        name: its name in the data set's folder.
        decode: the function that reads it, into arrays by part: X, valid, y, X_test, y_test.
        url: where it is downloaded from; empty: nowhere.
    """

    name: str
    decode: Callable[[Path], Parts]
    url: str = ""


@dataclass(frozen=True)
class NamedDataset:
    """A data set that `read` and `load_dataset` know by name.

    Attributes:
        name: the name.
        what: what it is, in a line.
        size: how many examples of which shape, with "+" before its own test part.
        kind: "array", "table", "images" or "graph".
        licence: the licence, as far as one is stated.
        row: shape of a row of X.
        checksums: sha256 of the bytes of each decoded part; `valid` follows X.
        forms: the files that hold it, in each form they come in; the first form can be downloaded.
        inside: reads it from an installed library instead.
    """

    name: str
    what: str
    size: str
    kind: str
    licence: str
    row: tuple[int, ...] = field(repr=False)
    checksums: dict[str, str] = field(repr=False)
    forms: tuple[tuple[File, ...], ...] = field(default=(), repr=False)
    inside: Callable[[], Parts] | None = field(default=None, repr=False)

    def folders(self) -> list[Path]:
        """Where its files are looked for: ``$VAEKIT_DATA/NAME``, then the cache (the last)."""
        import pooch

        given = os.environ.get("VAEKIT_DATA")
        return [*([Path(given) / self.name] if given else []), Path(pooch.os_cache("vaekit")) / self.name]

    def find(self, name: str) -> Path | None:
        """The file of that name, if it is on this computer."""
        return next((folder / name for folder in self.folders() if (folder / name).is_file()), None)

    def local_form(self) -> tuple[File, ...] | None:
        """The files of the first form that is whole on this computer, if any."""
        return next((form for form in self.forms if all(self.find(file.name) for file in form)), None)

    def available(self) -> bool:
        """Whether it can be loaded without a download (the content is checked when it is loaded)."""
        return self.inside is not None or self.local_form() is not None


def _idx_forms(address: str) -> tuple[tuple[File, ...], ...]:
    names = {
        "X": "train-images-idx3-ubyte",
        "y": "train-labels-idx1-ubyte",
        "X_test": "t10k-images-idx3-ubyte",
        "y_test": "t10k-labels-idx1-ubyte",
    }
    zipped = tuple(File(f"{name}.gz", decoders.idx(part), f"{address}/{name}.gz") for part, name in names.items())
    return zipped, tuple(File(name, decoders.idx(part)) for part, name in names.items())


def _static_file(name: str, part: str) -> File:
    name = f"binarized_mnist_{name}.amat"
    return File(name, decoders.static_text(part), f"{_STATIC}/{name}")


CATALOGUE = (
    NamedDataset(
        name="digits",
        what="handwritten digits with 17 grey levels and labels, from scikit-learn (UCI optical recognition test set)",
        size="1,797 images of 8 x 8",
        kind="images",
        licence="CC BY 4.0",
        row=(8, 8),
        checksums={
            "X": "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3",
            "y": "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0",
        },
        inside=decoders.digits,
    ),
    NamedDataset(
        name="mnist",
        what="handwritten digits with 256 grey levels and labels",
        size="60,000 + 10,000 images of 28 x 28",
        kind="images",
        licence=_NIST,
        row=(28, 28),
        checksums={
            "X": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
            "y": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
            "X_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
            "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
        },
        forms=_idx_forms("https://ossci-datasets.s3.amazonaws.com/mnist"),
    ),
    NamedDataset(
        name="mnist-static",
        what="MNIST made binary once for all by Larochelle; X holds his training and validation parts, no labels",
        size="60,000 + 10,000 images of 28 x 28",
        kind="images",
        licence=f"that of MNIST: {_NIST}",
        row=(28, 28),
        checksums={
            "X": "43490d4d6ac9002727af4426d8748609fdb7e4094fa65ad8d681ea60082a7a5a",
            "valid": "069b4f0beb389b776478c3e872b4df71c95ac4be64d7cbe6d32e24ebac8e6d5e",
            "X_test": "ca0294c3b8d984c7a1dc891015a8eea6f37bae59a34e35ea0fc8c47110a8dd86",
        },
        forms=(
            (_static_file("train", "X"), _static_file("valid", "valid"), _static_file("test", "X_test")),
            (File("binarized_mnist.npz", decoders.static_npz),),
        ),
    ),
    NamedDataset(
        name="fashion-mnist",
        what="pictures of clothes with 256 grey levels and labels",
        size="60,000 + 10,000 images of 28 x 28",
        kind="images",
        licence="MIT",
        row=(28, 28),
        checksums={
            "X": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
            "y": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
            "X_test": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
            "y_test": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
        },
        forms=_idx_forms("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"),
    ),
    NamedDataset(
        name="frey-face",
        what="frames of a film of one face with 256 grey levels, in order",
        size="1,965 images of 28 x 20",
        kind="images",
        licence="none stated",
        row=(28, 20),
        checksums={"X": "2438ba4f0d2a6bd8bac43de756141eaa33c8d248dd613d464bdb1210d9b7af78"},
        forms=(
            (File("frey_rawface.mat", decoders.frey_mat, "https://cs.nyu.edu/~roweis/data/frey_rawface.mat"),),
            (File("frey_face.npz", decoders.frey_npz),),
        ),
    ),
)
