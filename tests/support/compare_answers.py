"""Compares two outputs of `whosthere identify --json` on the same photos: compare_answers.py ONE OTHER TOLERANCE."""

import json
import sys
from pathlib import Path
from typing import Any

SIMILARITIES = ("similarity", "second_similarity")


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    return sorted(found, key=lambda row: (Path(row["file"]).parts[-3:], row["face"] or 0))


def difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest of similarities; infinite where only one has any."""
    pairs = [(one[key], other[key]) for key in SIMILARITIES]
    if any((a is None) != (b is None) for a, b in pairs):
        return float("inf")
    return max((abs(a - b) for a, b in pairs if a is not None), default=0.0)


def main() -> None:
    here, there = rows(Path(sys.argv[1])), rows(Path(sys.argv[2]))
    tolerance = float(sys.argv[3])
    wrong = [] if len(here) == len(there) else [f"{len(here)} faces here, {len(there)} there"]
    for one, other in zip(here, there, strict=False):
        name, delta = Path(one["file"]).name, difference(one, other)
        answers = [f"{row['outcome']} {row['person_id'] or '-'} {row['similarity']}" for row in (one, other)]
        print(f"{'/'.join(Path(one['file']).parts[-2:]):<36} {answers[0]:<36} {answers[1]:<36} {delta:.4f}")
        same = [one[key] == other[key] for key in ("outcome", "person_id", "nearest_id")]
        if not all(same) or delta > tolerance:
            wrong.append(name)
    print(f"{len(here)} faces, differing by more than {tolerance:g} or in name: {', '.join(wrong) or 'none'}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
