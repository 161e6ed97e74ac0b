"""The converter's command line, in this process."""

from pathlib import Path

from click.testing import CliRunner

from converter.__main__ import main


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error; whatever is wrong is one message."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert "Traceback" not in result.output, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.exit_code, result.stdout, result.stderr
