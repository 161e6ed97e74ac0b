"""Part b: the stages in instructions."""

from tools.bench.counting import count
from tools.bench.records import InstructionsResult


def measure() -> InstructionsResult:
    """Count once: the counts are the same each time."""
    return count(networks=True)
