"""What tests of the command share."""

from typing import Any

from vaekit.cli import main


def complaint(capsys: Any, *arguments: Any) -> str:
    """The one sentence on stderr of a command that exits with 2."""
    capsys.readouterr()
    assert main([str(a) for a in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    last = err.strip().splitlines()[-1]
    assert last.startswith("vaekit: ")
    return last.removeprefix("vaekit: ")
