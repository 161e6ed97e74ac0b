"""The similarities of a visit over time, as text."""

from collections.abc import Sequence

from edge.diary.record import LookRecord

ROWS = 9
COLUMNS = 60
ALONE, TOGETHER, NEEDED, REFUSED = ".#-x"


def plot(looks: Sequence[LookRecord], threshold: float | None) -> list[str]:
    """Lines of text: similarity upwards, time to the right; empty without a face.

    `.` is one face, `#` all faces up to then, `-` what a name needs, and `x` in the last line one that was refused.
    """
    if not looks:
        return []
    values = [v for look in looks for v in (look.similarity, look.fused) if v is not None]
    lines: list[str] = []
    columns = _columns(looks)
    if values:
        shown = [*values, *([threshold] if threshold is not None else [])]
        low, high = min(shown), max(shown)
        lines = _grid(looks, columns, threshold, low, max(high, low + 0.01))
    refused = [" "] * COLUMNS
    for look, column in zip(looks, columns, strict=True):
        if look.problem is not None:
            refused[column] = REFUSED
    if REFUSED in refused:
        lines.append(f"{'refused':>7} {''.join(refused).rstrip()}")
    end = f"{looks[-1].at_s - looks[0].at_s:.1f} s"
    return [*lines, f"{'':>7} 0{end:>{COLUMNS - 1}}"]


def _columns(looks: Sequence[LookRecord]) -> list[int]:
    began = looks[0].at_s
    lasted = max(looks[-1].at_s - began, 1e-3)
    return [min(COLUMNS - 1, max(0, round((look.at_s - began) / lasted * (COLUMNS - 1)))) for look in looks]


def _grid(
    looks: Sequence[LookRecord], columns: Sequence[int], threshold: float | None, low: float, high: float
) -> list[str]:
    def row(value: float) -> int:
        return round((high - value) / (high - low) * (ROWS - 1))

    grid = [[" "] * COLUMNS for _ in range(ROWS)]
    if threshold is not None:
        grid[row(threshold)] = [NEEDED] * COLUMNS
    for mark, values in ((ALONE, [look.similarity for look in looks]), (TOGETHER, [look.fused for look in looks])):
        for column, value in zip(columns, values, strict=True):
            if value is not None:
                grid[row(value)][column] = mark
    heights = [high - i * (high - low) / (ROWS - 1) for i in range(ROWS)]
    return [f"{height:7.2f} {''.join(line).rstrip()}" for height, line in zip(heights, grid, strict=True)]
