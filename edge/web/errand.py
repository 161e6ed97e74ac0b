"""The process that runs one errand of the page; see `errands`."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from edge.config.loading import load_config
from edge.errors import WhosthereError


class ErrandRequest(msgspec.Struct, frozen=True):
    """What the process reads on its standard input."""

    function: str
    """As in `edge.people.removing:forget`. It takes the box's config first."""
    config: str
    """The path of config.yaml."""
    given: dict[str, Any]
    quiet: bool
    """The result is for nobody."""


def run(request: ErrandRequest) -> bytes:
    """Do what a request asks for; the result as JSON. Raises WhosthereError."""
    function = function_of(request.function)
    kinds = get_type_hints(function)
    given = {name: msgspec.convert(value, kinds[name]) for name, value in request.given.items()}
    result = function(load_config(Path(request.config)), **given)
    return b"null" if request.quiet else msgspec.json.encode(result)


def function_of(name: str) -> Any:
    """The function that is called `module:name`."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


def main() -> None:
    """Write the result; or, with the exit code of its kind, the error. After a crash, nothing."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=ErrandRequest)
    try:
        sys.stdout.buffer.write(run(request))
    except WhosthereError as error:
        sys.stdout.buffer.write(str(error).encode(errors="replace"))
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
