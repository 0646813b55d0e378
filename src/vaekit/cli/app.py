"""The verbs: what each takes and an example of each; the work is done elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Variational autoencoders for arrays, images, tables and graphs: fit, evaluate, sample, encode, impute.",
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _check_run(run: Path) -> Path:
    from vaekit.runs import read_config

    read_config(run)
    return run


def _check_data(data: str | None) -> str | None:
    from vaekit.data.sources import check_there

    if data is not None:
        check_there(data)
    return data


# What is not there is said before seconds of imports.
Run = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Folder made by 'vaekit fit'.", show_default=False, callback=_check_run),
]
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        callback=_check_data,
        help="Name of a data set, or a file: .csv .parquet .npy .npz, IDX, .graphml, edge list; or a folder of images, "
        "or with edges.csv and nodes.csv.",
    ),
]
Out = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Ends in .csv .parquet .npy or .npz.")]
Kind = Annotated[str | None, typer.Option(help="Where the file cannot tell: array, table, images or graph.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Annealed = Annotated[bool, typer.Option("--ais", help="Also by annealed importance sampling, on some rows: slow.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


def _version(value: bool) -> None:
    if value:
        from vaekit import __version__

        print(f"vaekit {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass


@app.command(epilog="Example:  vaekit fit digits -o RUN --epochs 50 --set latent_dim=10")
def fit(
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="RUN", help="Folder for the RUN.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="vae, autoencoder, of images pixelcnn, of labelled rows conditional; of a table tabular; of a graph "
            "vgae or gae.",
            show_default="vae, tabular or vgae",
        ),
    ] = None,
    kind: Kind = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data, at most.")] = None,
    seed: Annotated[int, typer.Option(help="Fixes the split, the weights' start and all noise.")] = 0,
    device: Device = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the model; may be given again."),
    ] = None,
    checkpoint_every: Annotated[float, typer.Option(min=0, help="Seconds between checkpoints.")] = 15.0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a RUN was stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a RUN that is there.")] = False,
) -> None:
    """Train a model on DATA and write a RUN: weights, numbers, pictures and a report."""
    from vaekit.cli.fitting import fit_run

    fit_run(
        data,
        output,
        model=model,
        kind=kind,
        epochs=epochs,
        seed=seed,
        device=device,
        settings=settings or [],
        checkpoint_every=checkpoint_every,
        resume=resume,
        overwrite=overwrite,
    )


@app.command(epilog="Example:  vaekit evaluate RUN --samples 1000 --json")
def evaluate(
    run: Run,
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="By default the RUN's own test data.", callback=_check_data),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1, help="Importance samples of each row; of a graph, of the bound.", show_default="100, or 10"
        ),
    ] = None,
    ais: Annealed = False,
    chains: Annotated[int | None, typer.Option(min=1, help="Of --ais: chains for each row.", show_default="16")] = None,
    temperatures: Annotated[
        int | None, typer.Option(min=1, help="Of --ais: steps from q(z|x) to the posterior.", show_default="500")
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(min=1, help="Of --ais: rows, and as many simulated ones.", show_default="100"),
    ] = None,
    kind: Kind = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Score held-out data: log p(x), its bound and its parts, in nats a row; of a graph, AUC and AP of edges."""
    from vaekit.cli.verbs import evaluate_run

    how = {"chains": chains, "temperatures": temperatures, "rows": rows}
    evaluate_run(run, data, samples=samples, ais=ais, annealing=how, kind=kind, device=device, as_json=as_json)


@app.command(epilog="Example:  vaekit info RUN")
def info(run: Run, as_json: Json = False) -> None:
    """Say what a RUN is: data, model, parameters, how far it came."""
    from vaekit.cli.describing import describe_run

    describe_run(run, as_json=as_json)


@app.command(epilog="Example:  vaekit sample RUN -n 100 -o samples.npy")
def sample(
    run: Run,
    output: Out,
    n: Annotated[
        int | None,
        typer.Option(
            "-n", min=1, help="Number of rows; of a graph, nodes.", show_default="16, or as many nodes as the graph"
        ),
    ] = None,
    prior: Annotated[
        str, typer.Option(help="model; or fitted: codes from a mixture fitted to those of the RUN's training rows.")
    ] = "model",
    given: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE", help="Of a tabular model: a value that every row gets; may be given again."
        ),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Of a conditional model: the label that every row gets.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    device: Device = "auto",
) -> None:
    """Draw new rows from the model, or a new graph (.csv .tsv .txt .graphml .npz)."""
    from vaekit.cli.verbs import sample_run

    sample_run(run, output, n=n, prior=prior, given=given or [], label=label, seed=seed, device=device)


@app.command(epilog="Example:  vaekit encode RUN digits -o codes.csv")
def encode(run: Run, data: Data, output: Out, kind: Kind = None, device: Device = "auto") -> None:
    """Write the latent code of each row, or node, of DATA: the posterior means."""
    from vaekit.cli.verbs import encode_data

    encode_data(run, data, output, kind=kind, device=device)


@app.command(epilog="Example:  vaekit reconstruct RUN digits -o rebuilt.npy")
def reconstruct(run: Run, data: Data, output: Out, kind: Kind = None, device: Device = "auto") -> None:
    """Write each row of DATA, encoded and decoded."""
    from vaekit.cli.verbs import reconstruct_data

    reconstruct_data(run, data, output, kind=kind, device=device)


@app.command(epilog="Example:  vaekit score RUN digits -o scores.csv")
def score(
    run: Run,
    data: Data,
    output: Out,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Importance samples of each row.", show_default="100")
    ] = None,
    cells: Annotated[
        bool, typer.Option("--cells", help="Of a tabular model: each cell given the others of its row instead.")
    ] = False,
    kind: Kind = None,
    device: Device = "auto",
) -> None:
    """Write log p(x) and the ELBO of each row of DATA, in nats, and how odd a table's row is; or log p of each cell."""
    from vaekit.cli.verbs import score_data

    score_data(run, data, output, samples=samples, cells=cells, kind=kind, device=device)


@app.command(epilog="Example:  vaekit impute RUN table.csv -o filled.csv")
def impute(
    run: Run,
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Ends in .csv or .parquet.")],
    draws: Annotated[
        int | None,
        typer.Option(min=1, help="Write so many tables, one below the other, numbered in a first column 'draw'."),
    ] = None,
    statistic: Annotated[
        str | None, typer.Option(help="Of numbers and times: mean or median.", show_default="mean")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the codes that are weighed, and of draws.")] = 0,
    kind: Kind = None,
    device: Device = "auto",
) -> None:
    """Write the table DATA with its missing cells filled, by a tabular model."""
    from vaekit.cli.tableverbs import impute_data

    impute_data(run, data, output, draws=draws, statistic=statistic, seed=seed, kind=kind, device=device)


@app.command(epilog="Example:  vaekit links RUN -k 10 -o links.csv")
def links(
    run: Run,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Ends in .csv or .parquet.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Number of links.")] = 10,
    node: Annotated[str | None, typer.Option(help="Only links of this node, by its name or number.")] = None,
    device: Device = "auto",
) -> None:
    """Write the likeliest links that the graph of a RUN does not have."""
    from vaekit.cli.graphverbs import write_links

    write_links(run, output, k=k, node=node, device=device)


@app.command(name="data", epilog="Example:  vaekit data mnist")
def data_sets(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A data set.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """List the data sets known by name, or say what one is."""
    from vaekit.cli.describing import describe_data

    describe_data(name, as_json=as_json)


app.info.epilog = "\n\n".join(str(command.epilog) for command in app.registered_commands)
