"""Receives a bundle: checks it, puts it in force, and waits for the daemon. Until then, the old gallery stays."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from edge.config.sections import GalleryKeys
from edge.errors import GalleryError
from edge.galleries.atomic_file import inherit, new_beside, sync_folder
from edge.galleries.daemon_status import GalleryStatus, is_running, stamp_of, wait_for_status
from edge.galleries.file import identity_of, open_gallery
from edge.galleries.forget import ForgetElsewhere, Forgotten, Traces, forget, galleries_with
from edge.galleries.gallery import EmbedderId, Gallery, timestamp
from edge.galleries.history import History, HistoryEntry
from edge.galleries.local_changes import base_of, would_be_lost
from edge.galleries.lock import gallery_lock
from edge.owner import as_owner

CHUNK = 1_048_576
LOCK_WAIT_S = 30.0
MAX_LOST = 10
"""This many people are named when a push would lose them."""


def _nowhere(_: str) -> list[str]:
    return []


class Answer(msgspec.Struct, frozen=True):
    """The answer to a push."""

    status: Literal["in force", "written", "verified", "refused"]
    """`written`: no daemon has acknowledged it; `verified`: a dry run."""
    reason: str | None = None
    """Why not; None when in force or verified."""
    version: int | None = None
    """The version that the running daemon uses; without a daemon, that of the file."""
    people: int | None = None
    templates: int | None = None
    signer: str | None = None
    previous: int | None = None
    """The version that was there before."""
    threshold: float | None = None
    warnings: list[str] = []
    forgotten: Forgotten | None = None
    """Set when the push asked this box to forget somebody."""
    took_ms: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One gallery replaced by another."""

    action: Literal["received", "rolled back"]
    new: Gallery
    old: Gallery | None
    kept: Path | None
    """Where the old file is; None: there was none, or it is the same."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where galleries go on this box, and what they must satisfy."""

    path: Path
    keys: GalleryKeys
    embedder: EmbedderId
    dimensions: int
    """How many numbers its embeddings have."""
    max_bytes: int
    keep: int
    """How many earlier galleries to keep."""
    ack_s: float = 15.0
    """How long to wait for the daemon."""
    changes_here: bool = True
    """Whether this box can change its gallery; without a key to sign with, it may not be able to."""
    sender: str | None = None
    state: tuple[Path, ...] = ()
    """Folders in which this box keeps anything else, searched when somebody is forgotten."""
    forget_elsewhere: ForgetElsewhere = _nowhere
    """Removes a person from whatever this box keeps beside galleries."""

    def receive(
        self, stream: BinaryIO, *, force: bool = False, dry_run: bool = False, without: str | None = None
    ) -> Answer:
        """Put the gallery from the stream in force.

        `force` accepts an older version, `dry_run` only checks it, and `without` forgets the person with that id, who
        must not be in it. Raises GalleryError with the reason when it is refused; then nothing has changed.
        """
        began = time.monotonic()
        with self._uploaded(stream) as upload:
            new = open_gallery(upload, self.embedder, self.keys, self.dimensions)
            if any(person.id == without for person in new.people):
                raise GalleryError(
                    f"{without} should be forgotten, but the bundle still contains them; remove them first"
                )
            with gallery_lock(self.path, LOCK_WAIT_S):
                old = self._current()
                same = old is not None and identity_of(old) == identity_of(new)
                if not force and not same:
                    self._check_nothing_is_lost(new, old, without)
                    self._check_newer(new, old)
                if dry_run:
                    return self._answer("verified", new, old, None, began, [])
                traces = Traces.of(without, galleries_with(without, self.path, self.keys)) if without else None
                kept = None if same else self._replace(upload, old)
                answer = self._settle(Change("received", new, old, kept), began)
                if traces is None:
                    return answer
                folders = [self.path.parent, *self.state]
                gone = forget(traces, self.path, self.keys, folders, self.forget_elsewhere)
                return msgspec.structs.replace(answer, forgotten=gone)

    def roll_back(self, kept: Path) -> Answer:
        """Put an earlier gallery in force again. Raises GalleryError when it is refused."""
        began = time.monotonic()
        with gallery_lock(self.path, LOCK_WAIT_S):
            new = open_gallery(kept, self.embedder, self.keys, self.dimensions)
            old = self._current()
            beside = self._beside()
            try:
                with as_owner(beside):
                    os.link(kept, beside)
            except OSError as error:
                raise GalleryError(f"{kept}: cannot be put back: {error.strerror}") from error
            return self._settle(Change("rolled back", new, old, self._replace(beside, old)), began)

    @contextlib.contextmanager
    def _uploaded(self, stream: BinaryIO) -> Iterator[Path]:
        """Copy the stream into a synced file beside the gallery; it is removed afterwards unless it was renamed."""
        beside = self._beside()
        try:
            try:
                with as_owner(beside), beside.open("xb") as file:
                    inherit(file.fileno(), self.path)
                    self._copy(stream, file)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise GalleryError(f"{self.path}: cannot be received: {error.strerror or error}") from error
            yield beside
        finally:
            with contextlib.suppress(OSError), as_owner(beside):
                beside.unlink(missing_ok=True)

    def _copy(self, stream: BinaryIO, file: BinaryIO) -> None:
        size = 0
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > self.max_bytes:
                raise GalleryError(
                    f"the bundle is larger than {self.max_bytes // 10**6} MB, which gallery.max_mb allows on this box"
                )
            file.write(chunk)
        if size == 0:
            raise GalleryError("found no data on standard input; send a bundle: `ssh BOX < NAME.whg`")

    def _beside(self) -> Path:
        """A new name in the gallery's folder. Removes what killed receivers left there."""
        for left in self.path.parent.glob(f".{self.path.name}.*.new"):
            pid = left.name.split(".")[-2].partition("-")[0]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                with contextlib.suppress(OSError), as_owner(left):
                    left.unlink()
        return new_beside(self.path)

    def _current(self) -> Gallery | None:
        """The current gallery, of any embedder and signer; None: there is none that can be read."""
        try:
            return open_gallery(self.path, None, GalleryKeys(None, self.keys.identity))
        except GalleryError:
            return None

    def _check_newer(self, new: Gallery, old: Gallery | None) -> None:
        seen = max(History(self.path).highest_received, old.header.version if old else -1)
        if new.header.version <= seen:
            raise GalleryError(
                f"version {new.header.version} is not newer than version {seen}, which this box has had; build it with "
                f"`--version {seen + 1}`, or push it with --force to go back on purpose"
            )

    def _check_nothing_is_lost(self, new: Gallery, old: Gallery | None, forgotten: str | None) -> None:
        """Raises GalleryError with everybody who was changed at this box and is not so in the bundle."""
        if old is None or not self.changes_here:
            return
        lost = would_be_lost(new, old, base_of(self.path, self.keys, old), forgotten)
        if lost:
            shown = "; ".join(lost[:MAX_LOST]) + (f"; and {len(lost) - MAX_LOST} more" if len(lost) > MAX_LOST else "")
            raise GalleryError(
                f"the bundle would lose what was changed at this box: {shown}. Fetch it with `whosthere-converter pull "
                "BOX -o box.whg --base base.whg`, merge it with `whosthere-converter merge NAME.whg box.whg --base "
                "base.whg`, and push the result; or push with --force to lose it"
            )

    def _replace(self, upload: Path, old: Gallery | None) -> Path | None:
        """Keep the old file and rename the new one over it. Returns where the old one is kept."""
        kept = History(self.path).keep(old.header.version, identity_of(old), self.keep) if old is not None else None
        try:
            with as_owner(self.path):
                upload.replace(self.path)
                sync_folder(self.path.parent)
        except OSError as error:
            raise GalleryError(f"{self.path}: cannot be replaced: {error.strerror}") from error
        return kept

    def _settle(self, change: Change, began: float) -> Answer:
        """Wait for the daemon, and put the old gallery back if it refuses the new one."""
        state = wait_for_status(self.path, stamp_of(self.path), self.ack_s)
        if state is not None and state.error is not None:
            if change.kept is not None:
                self._take_back(change.kept)
            self._record(change, "refused", state.error)
            raise GalleryError(f"the daemon refused it and stays with version {state.version}: {state.error}")
        warnings = self._record(change, change.action, None)
        if change.action == "received" or History(self.path).was_received(identity_of(change.new)):
            warnings += self._note_base()
        return self._answer("in force" if state else "written", change.new, change.old, state, began, warnings)

    def _record(
        self, change: Change, action: Literal["received", "rolled back", "refused"], why: str | None
    ) -> list[str]:
        """Record the change in the log. Returns warnings."""
        header = change.new.header
        entry = HistoryEntry(
            at=timestamp(),
            action=action,
            version=header.version,
            identity=identity_of(change.new),
            people=len(header.people),
            templates=len(change.new.embeddings),
            signer=change.new.signer,
            sender=self.sender,
            reason=why,
        )
        try:
            History(self.path).record(entry)
        except GalleryError as error:
            # The gallery is in force anyway.
            return [str(error)]
        return []

    def _note_base(self) -> list[str]:
        """Note that this gallery came from the desktop. Returns warnings: it is in force anyway."""
        try:
            History(self.path).keep_base()
        except GalleryError as error:
            return [str(error)]
        return []

    def _take_back(self, kept: Path) -> None:
        beside = self._beside()
        try:
            with as_owner(beside):
                os.link(kept, beside)
                beside.replace(self.path)
                sync_folder(self.path.parent)
        except OSError as error:
            raise GalleryError(f"{self.path}: {kept} cannot be put back: {error.strerror}") from error

    def _answer(
        self,
        status: Literal["in force", "written", "verified"],
        new: Gallery,
        old: Gallery | None,
        state: GalleryStatus | None,
        began: float,
        warnings: list[str],
    ) -> Answer:
        unanswered = "the daemon does not respond" if is_running(self.path) else "no daemon is running on this box"
        now = datetime.now(UTC)
        expired = len(new.people) - len(new.unexpired(now).people)
        late = [f"{expired} of its people have expired and are not recognised"] if expired else []
        return Answer(
            status=status,
            reason=unanswered if status == "written" else None,
            version=state.version if state else new.header.version,
            people=state.people if state else len(new.people),
            templates=state.templates if state else len(new.embeddings),
            signer=new.signer,
            previous=old.header.version if old else None,
            threshold=state.threshold if state else None,
            warnings=late + warnings,
            took_ms=round((time.monotonic() - began) * 1000),
        )
