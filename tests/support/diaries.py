"""Visits for the tests of the diary; also runs as a process of its own, which tests kill."""

import sys
from pathlib import Path

import numpy as np

from edge.config.faces import QualitySettings
from edge.diary.diary_file import DiaryFile, NewVisit
from edge.diary.record import DecisionRecord, LookRecord, PersonScore, RefusedRecord, Rules, VisitRecord
from edge.events import EventKind
from edge.records import Problem, Vector

RULES = Rules(0.001, False, 10, 0.05, 3, QualitySettings())
BEGAN = 1_750_000_000.0
VECTOR: Vector = np.eye(1, 192, dtype=np.float32)[0]


def decision(kind: EventKind, best: str, second: str = "grace", similarity: float = 0.7) -> DecisionRecord:
    return DecisionRecord(
        sequence=1,
        kind=kind,
        at_s=1.5,
        usable_faces=5,
        best=PersonScore(best, similarity),
        second=PersonScore(second, 0.31),
        threshold=0.45,
        false_match_rate=0.0001,
    )


def visit(
    n: int, named: str | None = "ada", best: str = "ada", *, second: str = "grace", set_: bool = True
) -> VisitRecord:
    """A visit of somebody, n minutes after the first."""
    kind = EventKind.RECOGNIZED if named else EventKind.UNKNOWN
    return VisitRecord(
        id=f"20250615T1506{n:06}-ab",
        started_at=BEGAN + 60 * n,
        ended_at=BEGAN + 60 * n + 30,
        clock_set=set_,
        rang_s=2.0,
        decisions=[decision(kind, named or best, second)],
        looks=[LookRecord(i / 10, 0.8, None, 0.66, 0.68) for i in range(20)],
        analysed=23,
        usable=20,
        refused=[RefusedRecord(Problem.TURNED_AWAY, 3, 46.0, 71.5)],
        doubtful=0,
        probes=1,
        model="mobilefacenet",
        gallery_version="3",
        rules=RULES,
    )


def new(
    n: int,
    named: str | None = "ada",
    best: str = "ada",
    *,
    second: str = "grace",
    jpeg: bytes | None = None,
    vector: bool = False,
) -> NewVisit:
    """The same, with what else may be kept."""
    return NewVisit(visit(n, named, best, second=second), (VECTOR,) if vector else (), jpeg)


def contents(folder: Path) -> bytes:
    """Every byte of every file in a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def ids(records: list[VisitRecord]) -> list[int]:
    """The numbers of `visit`."""
    return [int(record.id[13:19]) for record in records]


if __name__ == "__main__":
    # Writes until it is killed; a number is printed once its visit is safe.
    diary = DiaryFile(Path(sys.argv[1]), 10)
    for number in range(100_000):
        diary.add(new(number, vector=True, jpeg=bytes(5000)))
        print(number, flush=True)
