"""Finds turns of phrase that do not sound native, in documents, docstrings, comments, messages and help.

    python tools/prose.py [FILE OR FOLDER ...]

Exits with 1 and lists `file:line: found -> instead` when there are any. `code spans` are not read. Strings of the tests
are left alone: they are data, as are names.
"""

import argparse
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FSTRING_PART = getattr(tokenize, "FSTRING_MIDDLE", -1)
"""From Python 3.12 on; before, an f-string is one string."""
READ_NAMES = {"Makefile", "run"}
READ = (".py", ".md", ".yaml", ".yml", ".json", ".sh", ".service", ".toml")
SKIPPED = {"LICENSE", "NOTICE", "ORIGINS.md", "prose.py"}
EVERYWHERE = (
    *(
        "edge",
        "converter",
        "tools",
        "tests",
        "docs",
        "systemd",
        "config.yaml",
        "pyproject.toml",
        "Makefile",
        ".ci",
        ".github",
    ),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
)
_COUNTED = (
    "once|row|rows|folder|folders|person|people|picture|pictures|photo|photos|card|file|files|one|template|templates|"
    "portrait|portraits|seconds|milliseconds|face|faces|line|lines|message|messages|key|keys"
)
_PER = "visit|person|face|picture|file|box|camera|card|photo|frame|gallery|class|network|household|batch|section|row"
RULES = {
    rf"\b(?:{_COUNTED}) an? (?:{_PER})\b": "per",
    r"\bbelongs? into\b": "goes in",
    r"\b(?:something|nothing|anything|somebody|nobody|anybody) else than\b": "other than",
    r"\banew\b": "again, start over",
    r"\blest\b": "so that ... not",
    r"\bby (?:itself|themselves)\b": "automatically, on its own",
    r"\b(?:is|are|was|were) to be\b": "should, must, will be",
    r"\bneeds? not\b": "does not have to",
    r"\bwhoever\b": "anyone who, the one who",
    r"\b(?:told|untold)\b(?! apart)": "published, notified, said",
    r"(?<!image.)(?<!signal.)\bprocessors?\b(?!\\t)": "CPU",
    r"\bhas [\d.%f]+ degrees\b": "is at ... °C",
    r"\blets? (?:nobody|anybody|somebody|everybody) in\b": "requires or accepts a login",
    r"\ball the same\b": "anyway",
    r"\b(?:take|takes|took) in\b": "load, apply",
    r"\b(?:came|comes?) to pass\b": "happened",
    r"\bwhat became of\b": "the outcome of",
    r"\bof (?:more|less) use\b": "more useful",
    r"\bthe (?:\w+ )?loss is no number\b": "is NaN",
    r"\bis there room, and may I\b": "check free space and permissions",
}
DOCSTRING_RULES = {r"^(?:Of|And|Or|But)\b": 'a plain statement: "The ... of ...", "Return ...", "Whether ..."'}


@dataclass(frozen=True, slots=True)
class Passage:
    """Text that people read, from `line` of its file on."""

    line: int
    text: str
    docstring: bool = False


def passages(path: Path) -> Iterator[Passage]:
    """All prose of a file: of Python the comments and strings, of anything else the whole text."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield Passage(1, text)
        return
    is_test = "tests" in path.parts
    start_of_statement = True
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield Passage(token.start[0], token.string)
        elif token.type == tokenize.STRING:
            docstring = start_of_statement and token.string.startswith('"""')
            if docstring or not is_test:
                yield Passage(token.start[0], token.string.strip('"'), docstring)
        elif token.type == FSTRING_PART and not is_test:
            yield Passage(token.start[0], token.string)
        start_of_statement = token.type in {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT} or (
            start_of_statement and token.type in {tokenize.COMMENT, tokenize.ENCODING}
        )


def faults(passage: Passage) -> Iterator[tuple[int, str, str]]:
    """(line, what was found, what to write instead) for each fault of a passage."""
    prose = re.sub(r"`[^`\n]*`", lambda code: " " * len(code[0]), passage.text)
    for rule, instead in (RULES | (DOCSTRING_RULES if passage.docstring else {})).items():
        for found in re.finditer(rule.replace(" ", r"\s+"), prose, re.IGNORECASE if rule[0] != "^" else 0):
            yield passage.line + prose.count("\n", 0, found.start()), " ".join(found[0].split()), instead


def files(names: list[str]) -> Iterator[Path]:
    """The files to read, in order; those that do not exist are passed over."""
    for name in names:
        root = Path(name)
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and (path.suffix in READ or path.name in READ_NAMES) and path.name not in SKIPPED:
                yield path


def main() -> None:
    parser = argparse.ArgumentParser(description="Lists turns of phrase that do not sound native.")
    parser.add_argument("paths", nargs="*", default=EVERYWHERE, help="Files and folders to read instead of everything.")
    found = [
        (path, line, text, instead)
        for path in files(list(parser.parse_args().paths))
        for passage in passages(path)
        for line, text, instead in faults(passage)
    ]
    for path, line, text, instead in found:
        print(f"{path}:{line}: {text!r} -> {instead}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
