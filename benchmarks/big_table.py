"""A Parquet file of ten million rows by twenty columns: rows a second and peak memory, from the file to filled holes.

    python benchmarks/big_table.py                  # ten minutes: makes the file (0.9 GB) in a temporary folder
    python benchmarks/big_table.py --rows 1000000
    python benchmarks/big_table.py --quick          # shows that the script works

Columns: eight real ones with a tenth of their cells missing, four positive, three counts, three of text, one of true
and false, one of dates; all hang on three hidden numbers. A process of its own then reads the file batch by batch,
codes it, trains for one epoch (ELBO, one sample, batches of 1,024, 1% of the rows held out), and fills the holes of
the first rows into another file. Peak memory is that of this process, torch and all: the most it ever had in memory,
pages of the coded rows that the system could take back at any time counted in.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _common import parser, record, write

CHUNK = 100_000  # rows made at a time
SETTINGS: dict[str, Any] = {
    "latent_dim": 8,
    "objective": "elbo",
    "samples": 1,
    "epochs": 1,
    "validation_fraction": 0.01,
    "random_state": 0,
    "verbose": 0,
}


def make(path: Path, rows: int) -> None:
    """Write the file, some rows at a time."""
    weights = np.random.default_rng(0).normal(size=(8, 3))

    def part(rng: np.random.Generator, n: int) -> pl.DataFrame:
        z = rng.normal(size=(n, 3))
        columns: dict[str, Any] = {}
        for j in range(8):
            x = z @ weights[j] + 0.5 * rng.normal(size=n)
            columns[f"real{j}"] = np.where(rng.random(n) < 0.1, np.nan, x)
        columns |= {f"positive{j}": np.exp(z[:, j % 3] + 0.3 * rng.normal(size=n)) for j in range(4)}
        columns |= {f"count{j}": rng.poisson(np.exp(z[:, j] / 2)) for j in range(3)}
        cuts = [-1, 0, 1]
        letters = np.array(list("abcd"))
        columns |= {f"word{j}": letters[np.digitize(z[:, j] + rng.normal(size=n), cuts)] for j in range(3)}
        columns["flag"] = z[:, 0] + rng.normal(size=n) > 0
        columns["day"] = np.datetime64("2020-01-01") + rng.integers(0, 1000, n).astype("timedelta64[D]")
        return pl.DataFrame(columns, nan_to_null=True)

    from polars.io.plugins import register_io_source

    def source(*_: object) -> Any:
        for start in range(0, rows, CHUNK):
            yield part(np.random.default_rng(start), min(CHUNK, rows - start))

    register_io_source(source, schema=part(np.random.default_rng(0), 10).schema).sink_parquet(path)


def use(path: Path, filled: int) -> dict[str, Any]:
    """Code, train and impute; what each took."""
    from vaekit import TabularVAE

    lazy = pl.scan_parquet(path)
    vae, took = TabularVAE(**SETTINGS), {}

    def timed(name: str, rows: int, work: Any) -> Any:
        began = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - began
        took[name] = {"rows": rows, "seconds": round(seconds, 1), "rows_per_second": round(rows / seconds)}
        return result

    rows = int(lazy.select(pl.len()).collect().item())
    timed("fit", rows, lambda: vae.fit(lazy))
    trained = vae.history_[0]["seconds"]
    took["training alone"] = {"rows": rows, "seconds": round(trained, 1), "rows_per_second": round(rows / trained)}
    few = lazy.head(filled)
    timed("impute", filled, lambda: vae.impute(few, num_samples=50).sink_parquet(path.with_name("filled.parquet")))
    left = int(pl.scan_parquet(path.with_name("filled.parquet")).select(pl.col("real0").null_count()).collect().item())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"took": took, "peak_gib": round(peak, 2), "holes_left": left, "held_out": vae.history_[0]["validation"]}


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__, __file__)
    options.add_argument("--rows", type=int, default=10_000_000, help="rows of the file")
    options.add_argument("--impute", type=int, default=200_000, help="rows whose holes are filled")
    options.add_argument("--use", type=Path, help=argparse.SUPPRESS)
    args = options.parse_args(argv)
    if args.quick:
        args.rows, args.impute = 3_000, 500
    if args.use:
        print(json.dumps(use(args.use, args.impute)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        make(path, args.rows)
        size = path.stat().st_size / 2**30
        command = [sys.executable, __file__, "--use", str(path), "--impute", str(args.impute)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(result, indent=2))
    write(args.output, record(__file__, args, file_gib=round(size, 3), settings=SETTINGS, **result))


if __name__ == "__main__":
    main()
