"""YAML as config files use it, within bounds: a small file cannot take much memory or time, whatever it holds."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode, Node, ScalarNode
from ruamel.yaml.parser import Parser
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tag import Tag

MAX_DEPTH = 20
MAX_CHARACTERS = 1_000_000
"""With every alias written out: ten lists of ten aliases each stand for ten billion values."""
_UNKNOWN_VERSION = "a line %YAML names a version that does not exist; leave it out"
YES_AND_NO = {"yes", "no", "on", "off"}


def bounded_yaml(width: int) -> YAML:
    """A reader and writer. Reading raises YAMLError only."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Resolver, yaml.Constructor, yaml.Composer, yaml.Parser = _Resolver, _Constructor, _Composer, _Parser
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = width
    return yaml


def in_words(error: YAMLError) -> str:
    """What is wrong, and where; without its own text, which quotes the line, which may contain a login."""
    if not isinstance(error, MarkedYAMLError):
        return f"not YAML: {' '.join(str(error).split())}"
    mark = error.problem_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"not YAML: {place}{error.problem}"


class _Resolver(VersionedResolver):
    """YAML 1.2, in which `1e-3` is a number, plus the booleans of 1.1 that people write: yes, no, on, off."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is ScalarNode and implicit[0] and value.lower() in YES_AND_NO:
            return Tag(suffix="tag:yaml.org,2002:bool")
        try:
            return super().resolve(kind, value, implicit)
        except KeyError as error:
            mark = self.loadumper.parser.peek_event().start_mark
            raise ConstructorError(problem=_UNKNOWN_VERSION, problem_mark=mark) from error


class _Parser(Parser):
    """Events; a version of YAML that does not exist is an error with its place."""

    def process_directives(self) -> Any:
        mark = self.scanner.peek_token().start_mark
        try:
            return super().process_directives()
        except AssertionError as error:
            raise ConstructorError(problem=_UNKNOWN_VERSION, problem_mark=mark) from error


class _Composer(Composer):
    """Nodes, no deeper than makes sense."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        # It would be a warning of Python's on stderr; YAML allows it.
        self.warn_double_anchors = False

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.depth >= MAX_DEPTH:
            mark = self.parser.peek_event().start_mark
            raise ConstructorError(problem=f"nested more than {MAX_DEPTH} levels deep", problem_mark=mark)
        return super().compose_node(parent, index)


class _Constructor(SafeConstructor):
    """Values of nodes. What has none is an error with its place, which quotes no value: it may be secret."""

    def check_mapping_key(self, node: Any, key_node: Any, mapping: Any, key: Any, value: Any) -> bool:
        if key in mapping:
            first = next(each for each, _ in node.value if each.value == key_node.value).start_mark.line + 1
            problem = f"the key {key!r} is given twice in one section, first in line {first}"
            raise DuplicateKeyError(problem=problem, problem_mark=key_node.start_mark)
        return True

    def construct_document(self, node: Any) -> Any:
        _Size().of(node)
        return super().construct_document(node)

    def construct_non_recursive_object(self, node: Any, tag: str | None = None) -> Any:
        try:
            return super().construct_non_recursive_object(node, tag)
        except MarkedYAMLError:
            raise
        except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
            kind = str(node.tag).rpartition(":")[2]
            problem = f"this is no {kind}; put text in quotes"
            raise ConstructorError(problem=problem, problem_mark=node.start_mark) from error

    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        if any("\ud800" <= c <= "\udfff" for c in value):
            # JSON, which YAML includes, writes a character beyond the first 65,536 as two halves.
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        odd = next((c for c in value if c == "\0" or "\ud800" <= c <= "\udfff"), None)
        if odd is not None:
            problem = f"found the character \\u{ord(odd):04x}, which no text may hold"
            raise ConstructorError(problem=problem, problem_mark=node.start_mark)
        return value


class _Size:
    """How long a document is once its aliases are written out, and how deep."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int] | None] = {}
        """Characters and levels by the identity of a node; None: still being counted."""

    def of(self, node: Node) -> tuple[int, int]:
        """Characters and levels. Raises ConstructorError when they are too many, or the node holds itself."""
        if id(node) not in self._known:
            self._known[id(node)] = None
            self._known[id(node)] = self._counted(node)
        size = self._known[id(node)]
        if size is None:
            raise ConstructorError(problem="an alias stands within what it refers to", problem_mark=node.start_mark)
        return size

    def _counted(self, node: Node) -> tuple[int, int]:
        if not isinstance(node, CollectionNode):
            return 1 + len(node.value), 1
        parts = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
        sizes = [self.of(part) for part in parts]
        length, depth = 1 + sum(n for n, _ in sizes), 1 + max((d for _, d in sizes), default=0)
        if length > MAX_CHARACTERS or depth > MAX_DEPTH:
            problem = f"its aliases stand for more than {MAX_CHARACTERS:,} characters, or {MAX_DEPTH} levels"
            raise ConstructorError(problem=problem, problem_mark=node.start_mark)
        return length, depth
