"""The table as it is kept, and as it is shown."""

from collections.abc import Collection
from pathlib import Path

import msgspec

from converter.files import write_whole
from tools.quantisers.measuring import QuantiserRow

FILE = "table.json"
HEAD = "| network | quantiser | cosine, mean | least | area | accepted at 1 % | loss | bytes | CPU ms | time |"


class MeasuredNetwork(msgspec.Struct, frozen=True):
    """One network by every quantiser."""

    judges: str
    """Whose faces the figures are of, in words."""
    runs: int
    """On how many pictures the times were measured."""
    rows: dict[str, QuantiserRow]
    failed: dict[str, str]
    """Why other quantisers gave nothing."""

    def answers(self, quantisers: Collection[str], runs: int) -> bool:
        """Whether these are the figures of all those quantisers; failures are tried again."""
        return self.runs == runs and set(self.rows) == set(quantisers)


def read_table(folder: Path) -> dict[str, MeasuredNetwork]:
    """What was measured so far, by network."""
    file = folder / FILE
    if not file.is_file():
        return {}
    return msgspec.json.decode(file.read_bytes(), type=dict[str, MeasuredNetwork])


def write_table(folder: Path, table: dict[str, MeasuredNetwork]) -> None:
    write_whole(folder / FILE, msgspec.json.format(msgspec.json.encode(table)))


def shown(network: str, found: MeasuredNetwork, reference: str) -> str:
    """In Markdown; losses are relative to the row of `reference`, in points."""
    lines = [f"\n{network}, {found.judges}\n", HEAD, "|---" * (HEAD.count("|") - 1) + "|"]
    whole = found.rows[reference].accepted
    for quantiser, row in found.rows.items():
        lines.append(
            f"| {network} | {quantiser} | {row.mean:.5f} | {row.least:.3f} | {row.area:.4f} | {row.accepted:.1%} | "
            f"{100 * (whole - row.accepted):.1f} | {row.bytes:,} | {row.milliseconds:.2f} | {row.time:.2f} |"
        )
    empty = " |" * (HEAD.count("|") - 4)
    lines += [f"| {network} | {quantiser} | failed: {why} |{empty}" for quantiser, why in found.failed.items()]
    return "\n".join(lines)
