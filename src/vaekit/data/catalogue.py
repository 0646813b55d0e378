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
        decode: the function that reads it, into arrays by part: X, valid, y, X_test, y_test, or those of a graph.
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
        row: shape of a row of X; empty for a graph.
        checksums: sha256 of the bytes of each decoded part; `valid` follows X.
        forms: the files that hold it, in each form they come in; the first form can be downloaded, if any.
        inside: reads it from an installed library instead.
        library: the name of that library.
        label_names: names of the labels 0, 1, ..., where they are known.
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
    library: str = field(default="", repr=False)
    label_names: tuple[str, ...] | None = field(default=None, repr=False)

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


def _planetoid(name: str, what: str, size: str, sums: str, label_names: tuple[str, ...] | None = None) -> NamedDataset:
    """One of the three citation graphs of Planetoid, whose parts have the checksums `sums`, one a line."""
    parts = [*(f"{matrix}_{part}" for matrix in ("adj", "attr") for part in ("data", "indices", "indptr", "shape"))]
    return NamedDataset(
        name=name,
        what=f"citations between papers {what} (Planetoid)",
        size=size,
        kind="graph",
        licence="MIT, as part of Planetoid",
        row=(),
        checksums=dict(zip([*parts, "labels"], sums.split(), strict=True)),
        forms=((File(f"{name}.npz", decoders.graph_npz),),),
        label_names=label_names,
    )


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
        library="scikit-learn",
    ),
    NamedDataset(
        name="shapes",
        what="binary images with known factors, made by vaekit: shape (the label), scale, rotation and position",
        size="6,144 images of 32 x 32",
        kind="images",
        licence="that of vaekit",
        row=(32, 32),
        checksums={
            "X": "241147a45f8333ae4217cb790e49e06b74667b699cd56448a6e58e5a946cf742",
            "y": "b749d921d629690c19d02608a2aa19a76f795836e98423e88308b47d64971361",
        },
        inside=decoders.shapes,
        library="vaekit",
        label_names=("square", "ellipse", "heart"),
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
    NamedDataset(
        name="karate",
        what="Zachary's karate club, from networkx: who is whose friend (without weights), and the side each took",
        size="34 nodes, 78 edges",
        kind="graph",
        licence="none stated",
        row=(),
        checksums={
            "adj_data": "3566b71e0f7a0f8bdd338a11010641bae6cc42f8154104eec94b8e5c2ce4b14a",
            "adj_indices": "5b1bae9c9f5cea675f19bd8765896c25943d7f0786c7c4382fadfd560aae703a",
            "adj_indptr": "f06cab2f4049335e607e50e15c325482b4515425d013aa1fc9e55bc7457532e3",
            "adj_shape": "00a76791f2c4d394c445b7d9e0c410e06af2884f45a36ebaa0a68431d603956f",
            "labels": "879bb5bdaf2f27d06958785ca722e4e9e7a5bcba60e640f5239606cff1c97f48",
        },
        inside=decoders.karate,
        library="networkx",
        label_names=decoders.KARATE_SIDES,
    ),
    _planetoid(
        "cora",
        "on machine learning, with the words of each and its topic",
        "2,708 nodes, 5,278 edges, 1,433 features",
        """
        68e8753778b768c6d73c83c6d9e2bcc54d3d61934bcb070713cae24665d033a9
        a0403267fbe197ec2a39cdecfb39e4cfbcf394b2591c5194cb94df127d9bb0db
        663c78737c693272c2443e597598cdeb57b01876210eac2b4cf0fdcc190f2e55
        bbdce8e30bda09e1f028e123b03bd62ea0952461c5b3183af38f11be05e9fab4
        b6b21f88e97b941a18346653f17d13084c3e07e19e3a7f7b101cebff366e5eb9
        e927312de3e1a5175c8ba21df70bbed22073bee54aa47725312ffb695e9ca83f
        b62808e7a686a808d671be25edbe692b4adeb9b95c8684351d84fd9e12f7919a
        8ee3da8bb08fcaf33adb1eff8d9fd815f9b165f260dd10a3e1440a6c34c93ede
        1abd151ea244b2a84fccb0acae08d6b3bb90418c42adce4dd36afbed0a3edb3a
        """,
        (
            "Theory",
            "Reinforcement Learning",
            "Genetic Algorithms",
            "Neural Networks",
            "Probabilistic Methods",
            "Case Based",
            "Rule Learning",
        ),
    ),
    _planetoid(
        "citeseer",
        "on computer science, with the words of each and its topic, which 15 lack",
        "3,327 nodes, 4,552 edges, 3,703 features",
        """
        6e39b909e0643b0ce6e7bb895e13c2427ffeae2313f8f6a23284016c584dfed5
        c0e65d6cb44c50b05d078311949da4d7ad8c919b68f27fccf8b9d9584211f393
        b2fbfa09896a68e7c1dc8dd6a043d64395b5b219da773c7abbe261f47971edb9
        3177913af128d2a7d0d22bacb9fb831a3e309df4c935489740c41f20a0b16582
        87679e6ef9e1f917a26e01caaff206b1083be17db182caa97bc02b81d3be5ce6
        ff98c0b675a82ab2c6aa4aa1044891dc2e7262a4e55b7debb1708c0442c1a127
        8ed82a019c207b0296f9c935bd5effcfaa650523f274b7b66b2411adf3dad67f
        ff160eeee994aca74a0f70932aa943c108546183a6cf48f3b90f6d11440b4a55
        41c96f7075a12540cee6fd6ba39412463a694b7d46f8f4439d6554410835a96a
        """,
        ("AI", "ML", "IR", "DB", "Agents", "HCI"),
    ),
    _planetoid(
        "pubmed",
        "on diabetes, with weighted words of each and its kind of diabetes",
        "19,717 nodes, 44,324 edges, 500 features",
        """
        3b151d746501ad53c5aa15f2ce908ee483832b99ff32b6fe2c73bcb04ea7ae08
        4cf96a941fed227d037a1cc1a2ea03a004b7aa30bb1d6e5b65b119722d2110c3
        63f540606429163509abae19e358b5f2a7dbe3b8c56c837822b90b91de6ef1ec
        d6e542989f1cfca7058004056e241762b21d223bf969a88dd6cd2a0089726cd8
        aca3d28c20a8de88c19079030467b00b8852739e796f936d90b79f4c08c11b8d
        0cc27053e7293a4a7152063864e71dff35d6a33e55367cb035abc2cffb7497c8
        8a838f2848610dd2df3a966fefc77d67ab8476cbe63ee2f7a1afde74527f0e38
        41dc61a2b41136034708d4c8aeaf0ebcba12606e4736c40d658cbf4fc2860e7d
        398422b8746d66fcc51d03aa1a3ecc43abdb06d4e3fb3307009219913f7adb1d
        """,
    ),
)
