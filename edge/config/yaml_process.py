"""YAML parsed by a process that ends with it: parser, text and document take megabytes, which would stay."""

import functools
import pickle
import subprocess
import sys
from typing import Any

from edge.config.typed_yaml import Mistakes, Parsing, parse_here

LIMIT_S = 55.0
_KEPT = 4
"""A box has one config.yaml, and the card of its embedder is one file or two."""


def keep_parser_out() -> None:
    """From now on this process leaves parsing to others."""
    Parsing.elsewhere = parse_elsewhere


def parse_elsewhere(text: str) -> Any:
    """The document in a text. Raises Mistakes when it is not YAML."""
    document, mistakes = pickle.loads(_answer(text))  # noqa: S301  (from this very module)
    if mistakes:
        raise Mistakes(mistakes)
    return document


@functools.lru_cache(_KEPT)
def _answer(text: str) -> bytes:
    words = [sys.executable, "-P", "-m", "edge.config.yaml_process"]
    try:
        return subprocess.run(words, input=text.encode(), stdout=subprocess.PIPE, check=True, timeout=LIMIT_S).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Mistakes([f"the process that parses it failed; try again: {type(error).__name__}"]) from error


def main() -> None:
    """Parse what comes on standard input."""
    answer: tuple[Any, list[str]]
    try:
        answer = (parse_here(sys.stdin.buffer.read().decode()), [])
    except Mistakes as error:
        answer = (None, error.lines)
    sys.stdout.buffer.write(pickle.dumps(answer))


if __name__ == "__main__":
    main()
