"""What a check found: one line for people, one object for scripts."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from edge.errors import BrokerError, CameraError, ConfigError, ModelError, WhosthereError

PRECEDENCE = (ConfigError.exit_code, ModelError.exit_code, CameraError.exit_code, BrokerError.exit_code)


class CheckStatus(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not wanted, or impossible because something else failed before."""


class Finding(msgspec.Struct, frozen=True):
    """One line of `whosthere check`."""

    check: str
    verdict: CheckStatus
    found: str
    advice: str = ""
    """What to do; empty where `found` already says it, as the messages of most failures do."""
    exit_code: int = 0


def ok(check: str, found: str) -> Finding:
    return Finding(check, CheckStatus.OK, found)


def warning(check: str, found: str, advice: str) -> Finding:
    return Finding(check, CheckStatus.WARNING, found, advice)


def failed(check: str, error: WhosthereError, advice: str = "") -> Finding:
    return Finding(check, CheckStatus.FAILED, str(error), advice, error.exit_code)


def skipped(check: str, why: str) -> Finding:
    return Finding(check, CheckStatus.SKIPPED, why)


def exit_code(codes: Iterable[int]) -> int:
    """The code of the most fundamental failure: config, model or gallery, camera, broker, other; 0 without any."""
    found = {code for code in codes if code}
    return next((code for code in PRECEDENCE if code in found), 1 if found else 0)


def strangers(rate: float) -> str:
    """A rate as a number of people: `one stranger in 1,000`."""
    return f"one stranger in {1 / rate:,.0f}"
