"""Data sets by name: found in VAEKIT_DATA or the cache, else downloaded; their decoded content is checked."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import secrets
from pathlib import Path

import numpy as np

from vaekit.data.catalogue import CATALOGUE, File, NamedDataset, Parts
from vaekit.data.files import quoted
from vaekit.data.grapharrays import graph_from_arrays
from vaekit.data.graphs import graph_dataset
from vaekit.data.kinds import describe
from vaekit.errors import DataError, did_you_mean, join
from vaekit.schema import Dataset


def dataset_names() -> tuple[str, ...]:
    """Names of the data sets that `load_dataset` knows.

    >>> dataset_names()
    ('digits', 'shapes', 'mnist', 'mnist-static', 'fashion-mnist', 'frey-face', 'karate', 'cora', 'citeseer', 'pubmed')
    """
    return tuple(known.name for known in CATALOGUE)


def dataset_info(name: str) -> NamedDataset:
    """What is known of a data set: what it is, size, kind, licence, and whether it is `available()`.

    Raises:
        DataError: there is no data set of that name.

    >>> dataset_info("frey-face").size
    '1,965 images of 28 x 20'
    """
    for known in CATALOGUE:
        if known.name == name:
            return known
    hint = did_you_mean(name, dataset_names()) or f"; there are {', '.join(dataset_names())}"
    raise DataError(f"There is no data set named {name!r}{hint}.")


def load_dataset(name: str) -> Dataset:
    """Load a data set by its name, downloading it where it is not on this computer.

    Its files are looked for in ``$VAEKIT_DATA/NAME/``, then in the cache, into which they are downloaded else. The
    decoded content is checked by checksum wherever it comes from.

    Args:
        name: one of `dataset_names`.

    Returns:
        X (n, H, W) uint8, or a `Graph`; y (n,) int64 where there are labels; and the data set's own test part where
        there is one.

    Raises:
        DataError: there is no such data set, a file is not what it should be, or the download failed.

    >>> digits = load_dataset("digits")
    >>> digits.X.shape, digits.X.dtype, digits.y[:5].tolist(), digits.X_test
    ((1797, 8, 8), dtype('uint8'), [0, 1, 2, 3, 4], None)
    >>> load_dataset("karate").X
    Graph(34 nodes, 78 edges)
    """
    known = dataset_info(name)
    parts: Parts = {}
    if known.inside is not None:
        parts, place = known.inside(), known.library
        _check(known, parts, f"The installed {known.library}")
    else:
        place = ""
        for file in known.local_form() or known.forms[0]:
            path = known.find(file.name)
            found = _decoded(known, file, path) if path else _download(known, file)
            place = quoted(path.parent if path else known.folders()[-1])
            parts.update(found)
    if parts.keys() != known.checksums.keys():
        lacking = join(part for part in known.checksums if part not in parts)
        raise DataError(f"{place} does not hold the data set {name!r}: it has no {lacking}.")
    if known.kind == "graph":
        graph = graph_from_arrays({k: v.astype(np.int64) if k == "labels" else v for k, v in parts.items()}, place)
        data = graph_dataset(name, graph, place, label_names=known.label_names)
        return dataclasses.replace(data, note=f"{name}: {data.note}")
    X = parts["X"] if "valid" not in parts else np.concatenate([parts["X"], parts["valid"]])
    X = X.reshape(-1, *known.row)
    return Dataset(
        name,
        X,
        y=parts["y"].astype(np.int64) if "y" in parts else None,
        X_test=parts["X_test"].reshape(-1, *known.row) if "X_test" in parts else None,
        y_test=parts["y_test"].astype(np.int64) if "y_test" in parts else None,
        kind=known.kind,
        note=f"{name}: {describe(X)} from {place}",
        label_names=known.label_names,
    )


def _decoded(known: NamedDataset, file: File, path: Path) -> Parts:
    parts = file.decode(path)
    _check(known, parts, quoted(path))
    return parts


def _check(known: NamedDataset, parts: Parts, where: str) -> None:
    for part, array in parts.items():
        if hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() != known.checksums.get(part):
            raise DataError(f"{where} does not hold the data set {known.name!r}: the content has another checksum.")


def _download(known: NamedDataset, file: File) -> Parts:
    """Download a file into the cache, where it appears whole and checked or not at all."""
    folder = known.folders()[-1]
    part = folder / f".{file.name}.{secrets.token_hex(4)}.part"
    advice = f"VAEKIT_DATA may point to a folder that has it as {quoted(Path(known.name) / file.name)}"
    lost = f"The data set {known.name!r} is not here, and"
    if not file.url:
        raise DataError(f"{lost} there is no address known to download it from; {advice}.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(file.url, part)
        parts = _decoded(known, file, part)
        os.replace(part, folder / file.name)
    except DataError as error:
        raise DataError(f"{lost} what {file.url} gave is not the file expected; {advice}.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{lost} {file.url} could not be downloaded ({_reason(error)}); {advice}.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return parts


def _fetch(url: str, target: Path) -> None:
    import pooch
    import requests.exceptions as web

    try:
        pooch.HTTPDownloader()(url, str(target), None)  # type: ignore[arg-type]
    except web.HTTPError as error:
        if error.response is not None:
            error.response.close()
        raise


def _reason(error: Exception) -> str:
    """Why a download failed, without the library's inner names."""
    import requests.exceptions as web

    if isinstance(error, web.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, web.Timeout):
        return "no answer in time"
    if isinstance(error, web.ConnectionError):
        return "no connection"
    return getattr(error, "strerror", None) or str(error)
