"""Mutation testing: change one thing in a module, run its tests, and list the changes that no test noticed.

The changes are those of Cosmic Ray (https://cosmic-ray.readthedocs.io), and one more: leaving out a statement. Each
mutant runs in a fork of a process that has already loaded numpy and pytest, so that a module takes seconds to minutes.
No file is changed. Usage: python tools/mutation.py [--again] [MODULE ...], for example edge/visits/matcher.py.
--again: leave out the mutants that were noticed the last time, for use after tests were added.
"""

import contextlib
import difflib
import hashlib
import importlib
import importlib.abc
import importlib.util
import itertools
import os
import re
import resource
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import parso
import pytest
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

VISITS = ["tests/test_visit_manager.py", "tests/test_visit_evidence.py", "tests/test_visits.py", "tests/test_swap.py"]
OUTBOX = ["tests/test_outbox.py", "tests/test_outbox_model.py"]
CORRECTIONS = "tests/test_corrections.py::test_"
REJECTED = [
    f"{CORRECTIONS}anchors_only_ever_take_a_name_away",
    f"{CORRECTIONS}nor_do_they_name_anybody_else_when_faces_fall_into_groups",
    f"{CORRECTIONS}the_rejected_visitor_loses_the_name_and_the_person_keeps_it",
]
IGNORED = [
    f"{CORRECTIONS}of_an_ignored_stranger_only_the_beginning_and_the_end_are_published",
    f"{CORRECTIONS}other_strangers_and_the_known_are_not_ignored",
    f"{CORRECTIONS}an_ignored_stranger_who_turns_out_to_be_known_is_named_without_correcting_anything",
]
TESTS = {
    "edge/visits/matcher.py": ["tests/test_matcher.py", "tests/test_infrared_matching.py", *REJECTED],
    "edge/visits/thresholds.py": ["tests/test_thresholds.py", "tests/test_matcher.py", "tests/test_strangers.py"],
    "edge/visits/tracker.py": ["tests/test_tracker.py"],
    "edge/visits/fusion.py": ["tests/test_fusion.py", "tests/test_visits.py", "tests/test_infrared_matching.py"],
    "edge/visits/decision.py": ["tests/test_decision.py", "tests/test_visits.py", *IGNORED, *REJECTED],
    "edge/visits/manager.py": [
        *VISITS,
        *IGNORED,
        "tests/test_visit_log.py",
        "tests/test_infrared_matching.py",
        "tests/test_strangers.py",
    ],
    "edge/visits/state.py": [
        "tests/test_visit_state.py",
        *VISITS,
        *IGNORED,
        "tests/test_visit_log.py",
        "tests/test_infrared_matching.py",
    ],
    "edge/visits/swap.py": ["tests/test_visit_manager.py", "tests/test_swap.py"],
    "edge/mqtt/outbox.py": OUTBOX,
    "edge/mqtt/outbox_file.py": [*OUTBOX, "tests/test_outbox_damage.py"],
    "edge/storage/database.py": [*OUTBOX, "tests/test_outbox_damage.py", "tests/test_storage.py"],
    "edge/storage/salvage.py": [*OUTBOX, "tests/test_outbox_damage.py"],
    "edge/galleries/signature.py": ["tests/test_signature.py"],
    "edge/galleries/receive.py": ["tests/test_receive_edges.py", "tests/test_receive.py"],
}
NOTICED = Path("build/mutation/noticed")
"""The mutants that tests noticed, one hash per line."""
WANTED = 0.9
"""The share of mutants that have to be noticed, per module."""
LEFT_OUT = re.compile(
    # `is` for `==`, and operators that the values do not have: most fail at once, the others change nothing.
    r"(?<!Is)(?<!IsNot)_(Is|IsNot)$|(Is|IsNot)_(Eq|NotEq|Lt|LtE|Gt|GtE)$|(Mod|Pow|FloorDiv|RShift|LShift|BitOr|BitAnd|BitXor|Invert|UAdd)$"
    r"|BinaryOperator_BitOr|RemoveDecorator|VariableReplacer|VariableInserter"
)
DECLARATION = re.compile(r"\s*(@dataclass|class )|.*\*,")
"""Lines that declare: `frozen=True` and the star before keywords are for the type checker and the reader."""
MINIMUM_CPU_S = 5
WALL_S = 300.0
"""A mutant that computes or waits for ever counts as noticed; this much leaves room for a busy machine."""


class LeaveOut(Operator):  # type: ignore[misc]
    """Replaces a call, an assignment to an attribute or an item, a `raise` or a `return` by `pass`."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """One, for a statement that can be left out without a NameError."""
        kept = node.type not in {"expr_stmt", "atom_expr", "raise_stmt", "return_stmt"}
        if kept or node.parent is None or node.parent.type != "simple_stmt":
            return
        plain_name = node.type == "expr_stmt" and node.children[0].type == "name"
        if not plain_name or (node.children[1].type == "operator" and node.children[1].value != "="):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The `pass` in its place."""
        return parso.parse(node.get_first_leaf().prefix + "pass")

    @classmethod
    def examples(cls) -> tuple[()]:
        """None."""
        return ()


class Mutant(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):  # type: ignore[misc]
    """Imports one module from other source."""

    def __init__(self, path: str, source: str) -> None:
        self._path = path
        self._name = path.removesuffix(".py").replace("/", ".")
        self._source = source

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """The changed module; None for all others."""
        return importlib.util.spec_from_loader(name, self) if name == self._name else None

    def get_filename(self, fullname: str) -> str:
        """Where the unchanged module is."""
        return str(Path(self._path).resolve())

    def get_data(self, path: str) -> bytes:
        """The changed source."""
        return self._source.encode()


def mutants(source: str) -> Iterator[str]:
    """Every version of a module with one change."""
    operators = [get_operator(name)() for name in operator_names() if not LEFT_OUT.search(name)]
    for operator in [*operators, LeaveOut()]:
        for n in itertools.count():
            try:
                changed = mutate_code(source, operator, n)
            except AttributeError:
                # Cosmic Ray replaces plain names of exceptions only, and fails at `except sqlite3.Error`.
                continue
            if changed is None:
                break
            if changed != source and not DECLARATION.match(_difference(source, changed).partition("-")[2]):
                yield changed


def run(path: str, source: str, cpu_s: float) -> tuple[str, list[str], float]:
    """Run the tests of a module whose source is replaced: the verdict, the packages loaded and the CPU time used."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.setsid()
        code = 3
        with contextlib.suppress(BaseException):
            code = _child(path, source, cpu_s, writing)
        os._exit(code)
    os.close(writing)
    done = threading.Event()
    threading.Thread(target=_end, args=(pid, done), daemon=True).start()
    with open(reading) as pipe:  # noqa: PTH123
        loaded = pipe.read().split()
    _, status, used = os.wait4(pid, 0)
    done.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    verdict = "timed out" if os.WIFSIGNALED(status) else "survived" if status == 0 else "killed"
    return verdict, loaded, used.ru_utime + used.ru_stime


def _end(pid: int, done: threading.Event) -> None:
    if not done.wait(WALL_S):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _child(path: str, source: str, cpu_s: float, pipe: int) -> int:
    os.set_inheritable(pipe, False)
    with open(os.environ.get("MUTATION_LOG", os.devnull), "a") as log:  # noqa: PTH123
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s) + 1, int(cpu_s) + 1))
    sys.meta_path.insert(0, Mutant(path, source))
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutation", database=None, derandomize=True, deadline=None, phases=phases)
    hypothesis.settings.load_profile("mutation")
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--noconftest", *TESTS[path]])
    # Of our own package nothing may be loaded beforehand.
    tops = {name.partition(".")[0] for name in sys.modules} - {"edge", "converter", "tools", "support", "conftest"}
    os.write(pipe, " ".join(top for top in tops if not top.startswith("test")).encode())
    return int(code)


def examine(path: str, noticed: set[str]) -> Counter[str]:
    """Print the mutants of a module that its tests do not notice, as differences; how many had which verdict.

    Mutants in `noticed` are not run; those newly noticed are added to it.
    """
    source = Path(path).read_text()
    verdict, packages, used = run(path, source, 600)
    if verdict != "survived":
        sys.exit(f"{path}: its tests fail without any change: {' '.join(TESTS[path])}")
    for package in packages:
        with contextlib.suppress(ImportError):
            importlib.import_module(package)
    verdicts: Counter[str] = Counter()
    for changed in mutants(source):
        mark = hashlib.sha256(f"{path}\n{changed}".encode()).hexdigest()
        verdict = "killed" if mark in noticed else run(path, changed, max(MINIMUM_CPU_S, 10 * used))[0]
        verdicts[verdict] += 1
        if verdict != "killed":
            print(f"{path}:{_difference(source, changed)}\n    {verdict}", flush=True)
        elif mark not in noticed:
            noticed.add(mark)
            with NOTICED.open("a") as file:
                file.write(f"{mark}\n")
    return verdicts


def _difference(source: str, changed: str) -> str:
    lines = list(difflib.unified_diff(source.splitlines(), changed.splitlines(), n=0, lineterm=""))
    number = re.search(r"-(\d+)", lines[2])
    return "\n    ".join([number[1] if number else "?", *lines[3:]])


def main() -> None:
    """Examine the modules given, or all; exit with 1 when one has too many survivors."""
    began = time.monotonic()
    modules = [word for word in sys.argv[1:] if word != "--again"]
    NOTICED.parent.mkdir(parents=True, exist_ok=True)
    noticed = set(NOTICED.read_text().split()) if "--again" in sys.argv and NOTICED.exists() else set()
    verdicts = {path: examine(path, noticed) for path in modules or TESTS}
    print(f"\n{'module':30} mutants  killed  timed out  survived  noticed")
    for path, found in verdicts.items():
        counts = f"{found['killed']:7} {found['timed out']:10} {found['survived']:9}"
        print(f"{path:30} {found.total():7} {counts} {_share(found):8.1%}")
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(any(_share(found) < WANTED for found in verdicts.values()))


def _share(verdicts: Counter[str]) -> float:
    return 1 - verdicts["survived"] / verdicts.total()


if __name__ == "__main__":
    main()
