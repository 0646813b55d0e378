"""The command: `vaekit VERB ...`.

Importing it is cheap; each verb imports what it needs when it runs.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code: 2, with one plain sentence, for what the user got wrong."""
    import typer

    from vaekit.cli.app import app
    from vaekit.errors import VaekitError

    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with plain_warnings(), _spelling_out():
            code = app(arguments or ["--help"], standalone_mode=False) or 0
            _flush()  # here, where it can fail with a sentence
        return code
    except typer.TyperException as error:
        _complain(error.format_message())
        return 2
    except VaekitError as error:
        _complain(str(error))
        return 2
    except ValueError as error:
        if not _is_input_check(error):
            raise
        _complain(str(error).replace("\n- ", " "))
        return 2
    except BrokenPipeError:
        _give_up_output()
        return 1
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        _complain(f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}.")
        _give_up_output()
        return 2
    except (typer.Abort, KeyboardInterrupt):  # Abort is a RuntimeError
        _complain("Interrupted.")
        return 130
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        _complain("Not enough memory; smaller batches (batch_size), networks or data need less.")
        return 2


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show what the user is warned of as a sentence, once each; leave warnings meant for programmers as they are."""
    import warnings

    usual, said = warnings.showwarning, set()

    def show(message: Warning | str, category: type[Warning], *rest: Any) -> None:
        if category is not UserWarning:
            usual(message, category, *rest)
        elif str(message) not in said:
            said.add(str(message))
            _complain(str(message))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _complain(sentence: str) -> None:
    print(f"vaekit: {' '.join(sentence.split())}", file=sys.stderr)


@contextmanager
def _spelling_out() -> Iterator[None]:
    """A block in which standard output, as standard error, writes \\xdc for what its encoding has no letter for."""
    out = sys.stdout
    if not isinstance(out, io.TextIOWrapper):
        yield
        return
    before = out.errors
    out.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        if not out.closed:
            out.reconfigure(errors=before)


def _flush() -> None:
    if sys.stdout is not None:  # as it is where it was closed
        sys.stdout.flush()


def _give_up_output() -> None:
    """Write what is left for standard output to nowhere where nobody can take it, so that Python's end is quiet."""
    try:
        _flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_out_of_memory(error: Exception) -> bool:
    """Whether Python, NumPy or torch, on a GPU or without, found no memory; torch often has no class for it."""
    said = ("out of memory", "allocate memory", "ALLOC_FAILED")
    return isinstance(error, MemoryError) or any(part in str(error) for part in said)


def _is_input_check(error: ValueError) -> bool:
    """Whether scikit-learn's check of the input raised it: then its message is written for the user."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and frame.tb_frame.f_globals.get("__name__", "").startswith("sklearn.utils.validation")
