"""A bundle to many boxes at once, over the user's own ssh(1): each box answers for itself."""

import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from converter.ssh import checked_host, last_line, ssh_command
from edge.config import typed_yaml
from edge.errors import WhosthereError
from edge.galleries.encryption import encrypt, is_encrypted
from edge.galleries.receive import Answer

UNREACHABLE = 255
"""ssh's own exit code for whatever is wrong with the connection."""
BACKOFF_S = 1.0
JOBS = 16


class InventoryError(WhosthereError):
    """An inventory has mistakes, or names no box to push to."""


class BoxEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One box in an inventory."""

    host: str | None = None
    """As ssh takes it, such as `whosthere@192.168.1.20` or a name of ~/.ssh/config; the box's name when left out."""
    groups: list[str] = []
    encrypt_to: str | None = None
    """SSH public key that bundles for this box are encrypted to."""


class BoxInventory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`boxes.yaml`."""

    boxes: dict[str, BoxEntry]


@dataclass(frozen=True, slots=True)
class PushTarget:
    """A box to push to."""

    name: str
    host: str
    encrypt_to: str | None = None


State = Literal["in force", "verified", "written", "refused", "unreachable", "timed out", "no answer", "not tried"]


class PushOutcome(msgspec.Struct, frozen=True):
    """The result of pushing to one box."""

    box: str
    status: State
    reason: str | None = None
    answer: Answer | None = None
    seconds: float = 0.0
    tries: int = 0

    @property
    def fine(self) -> bool:
        return self.status in {"in force", "verified"}


@dataclass(frozen=True, slots=True)
class Pusher:
    """A bundle, and how to push it."""

    content: bytes
    ssh: Sequence[str] = field(default=("ssh",))
    """The ssh client, with the user's own options."""
    force: bool = False
    dry_run: bool = False
    forget: str | None = None
    """The id of a person whom the boxes must forget."""
    timeout_s: float = 60.0
    retries: int = 0
    wait: Callable[[float], None] = time.sleep

    def push(
        self, targets: Sequence[PushTarget], done: Callable[[PushOutcome], None] = lambda _: None
    ) -> list[PushOutcome]:
        """Push to all targets at the same time; return the outcomes in the order of the targets."""

        def one(target: PushTarget) -> PushOutcome:
            outcome = self._push_with_retries(target)
            done(outcome)
            return outcome

        with ThreadPoolExecutor(JOBS) as pool:
            return list(pool.map(one, targets))

    def _push_with_retries(self, target: PushTarget) -> PushOutcome:
        """Push, and try again when the box could not be reached or did not answer; a refusal is final."""
        tries, began = 1, time.monotonic()
        outcome = self._push(target)
        while outcome.status in {"unreachable", "timed out", "no answer"} and tries <= self.retries:
            self.wait(BACKOFF_S * 2 ** (tries - 1))
            outcome = self._push(target)
            tries += 1
        return msgspec.structs.replace(outcome, tries=tries, seconds=round(time.monotonic() - began, 2))

    def _push(self, target: PushTarget) -> PushOutcome:
        content = self.content
        if target.encrypt_to and not is_encrypted(content):
            content = encrypt(content, [target.encrypt_to])
        wanted = ["receive"] + ["--force"] * self.force + ["--dry-run"] * self.dry_run
        if self.forget:
            wanted.append(f"--forget={self.forget}")
        # A box that is switched off is noticed sooner than a slow one.
        options = ["-o", f"ConnectTimeout={max(1, round(self.timeout_s / 4))}"]
        command = ssh_command(target.host, wanted, self.ssh, options)
        try:
            finished = subprocess.run(command, input=content, capture_output=True, check=False, timeout=self.timeout_s)
        except subprocess.TimeoutExpired:
            return PushOutcome(target.name, "timed out", f"no answer in {self.timeout_s:.0f} s")
        except OSError as error:
            return PushOutcome(target.name, "unreachable", f"{self.ssh[0]} cannot be run: {error.strerror}")
        return _understood(target.name, finished)


def _understood(box: str, finished: "subprocess.CompletedProcess[bytes]") -> PushOutcome:
    try:
        answer = msgspec.json.decode(finished.stdout, type=Answer)
    except msgspec.DecodeError:
        said = last_line(finished.stderr) or last_line(finished.stdout)
        if finished.returncode == UNREACHABLE:
            return PushOutcome(box, "unreachable", said or "ssh failed and gave no reason")
        return PushOutcome(box, "no answer", f"exit code {finished.returncode}: {said or 'nothing was said'}")
    return PushOutcome(box, answer.status, answer.reason, answer)


def with_canary(
    pusher: Pusher, targets: Sequence[PushTarget], first: int, done: Callable[[PushOutcome], None] = lambda _: None
) -> list[PushOutcome]:
    """Push to the first few, and to the others only when all of those succeeded."""
    outcomes = pusher.push(targets[:first], done) if first else []
    if all(outcome.fine for outcome in outcomes):
        return outcomes + pusher.push(targets[first:], done)
    rest = [PushOutcome(t.name, "not tried", "not all of the first boxes accepted it") for t in targets[first:]]
    for outcome in rest:
        done(outcome)
    return outcomes + rest


def read_inventory(path: Path) -> BoxInventory:
    """Raises InventoryError with every mistake."""
    try:
        return typed_yaml.convert(typed_yaml.read(path), BoxInventory)
    except OSError as error:
        raise InventoryError(f"{path}: cannot be read: {error.strerror}") from error
    except typed_yaml.Mistakes as error:
        raise InventoryError("\n".join(f"{path}: {line}" for line in error.lines)) from error


def targets_for(wanted: Sequence[str], inventory: BoxInventory | None) -> list[PushTarget]:
    """Boxes, groups and hosts by name, each once; all boxes of the inventory when nothing is named.

    Raises InventoryError when nothing is left to push to, UsageError for what is not a host.
    """
    known = inventory.boxes if inventory else {}
    found: dict[str, PushTarget] = {}
    for name in wanted or list(known):
        members = [box for box, about in known.items() if name in about.groups]
        for box in [name] if name in known or not members else members:
            about = known.get(box, BoxEntry())
            found[box] = PushTarget(box, checked_host(about.host or box), about.encrypt_to)
    if not found:
        raise InventoryError("no box to push to: give HOSTS or --inventory")
    return list(found.values())
