"""The tree can be searched and read: no two classes share a name, and no module outgrows one noun."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAX_LINES = 300
"""As docs/contributing/style.md has it."""


def classes() -> dict[str, list[str]]:
    """Class name -> the modules that define it, over everything that ships and the tools beside it."""
    found: dict[str, list[str]] = defaultdict(list)
    for folder in ("edge", "converter", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found[node.name].append(str(path.relative_to(ROOT)))
    return found


def test_no_class_name_is_defined_twice() -> None:
    assert {name: paths for name, paths in classes().items() if len(paths) > 1} == {}


def test_no_module_has_more_than_300_lines() -> None:
    modules = [path for folder in ("edge", "converter", "tools") for path in (ROOT / folder).rglob("*.py")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}
