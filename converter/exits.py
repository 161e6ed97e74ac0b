"""Expected failures end a command with a message and the exit code of their kind, as `edge.errors` has it."""

from typing import NoReturn

import click

from edge.errors import WhosthereError
from edge.terminal import fail_with


class Interrupted(WhosthereError):
    """Stopped by Ctrl-C; the exit code is the one that shells use."""

    exit_code = 130


class CleanCommand(click.Command):
    """A command, or before a group in its bases all commands of that group, whose expected failures are one message."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except WhosthereError as error:
            fail(ctx, error)
        except OSError as error:
            # A full disk, a missing permission, a network drive that is gone: files are written whole or not at all.
            if isinstance(error, BrokenPipeError):
                raise
            where = f"{error.filename}: " if error.filename else ""
            fail(ctx, WhosthereError(f"{where}{error.strerror or str(error).partition(chr(10))[0]}"))
        except KeyboardInterrupt:
            fail(ctx, Interrupted("interrupted"))


def fail(ctx: click.Context, error: WhosthereError) -> NoReturn:
    """Print the error to standard error, and exit with its code."""
    fail_with(f"{ctx.info_name}: {error}")
    ctx.exit(error.exit_code)
