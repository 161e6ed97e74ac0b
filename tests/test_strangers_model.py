"""The keeper against a model: people come, are named, discarded and forgotten, and the disk fails now and then."""

import shutil
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.visits.matcher import Matcher
from edge.visits.strangers_file import StrangersFile
from support.people import alike, gallery_of, somebody
from test_strangers import CALIBRATION
from test_strangers_file import HOUR_S, NOW, Box, no_room

PEOPLE = {n: somebody(300 + n) for n in range(8)}
KEEP = 4
SHM = Path("/dev/shm")  # noqa: S108  (in memory: what a disk does is in test_strangers_file.py)


@dataclass
class Known:
    """A stranger as the model has them."""

    person: int
    times: int
    last: float


class StrangersModel(RuleBasedStateMachine):
    """A box that keeps four strangers for an hour, and what it should know."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
        self.box = Box(self.folder, NOW, keep=KEEP)
        self.known: dict[int, Known] = {}
        self.owners: dict[int, int] = {}
        """Whose each number is, ever."""
        self.enrolled: set[int] = set()
        self.visits = 0

    def teardown(self) -> None:
        self.box.keeper.close()
        shutil.rmtree(self.folder)

    @rule(person=st.sampled_from(sorted(PEOPLE)), unlike=st.floats(0.0, 0.25), fails=st.integers(0, 9))
    def come(self, person: int, unlike: float, fails: int) -> None:
        if person in self.enrolled:
            return
        self.visits += 1
        probe = alike(PEOPLE[person], 1 - unlike, seed=1000 + self.visits)
        self.box.now += 60
        self.expire()
        self.box.keeper.tidy(self.box.now)
        self.box.now -= 60
        if fails == 0:
            with no_room():
                who = self.box.come(f"v{self.visits}", probe)
        else:
            who = self.box.come(f"v{self.visits}", probe)
        before = next((number for number, known in self.known.items() if known.person == person), None)
        assert who is not None
        assert (who.number, who.times) == (before, self.known[before].times + 1) if before else who.times == 1
        assert self.owners.setdefault(who.number, person) == person, "a number belongs to one person, ever"
        if fails:
            self.known[who.number] = Known(person, who.times, who.seen)
            while len(self.known) > KEEP:
                del self.known[min(self.known, key=lambda n: (self.known[n].last, n))]

    @rule(seconds=st.floats(1, 2 * HOUR_S))
    def wait(self, seconds: float) -> None:
        self.box.now += seconds
        self.expire()
        self.box.keeper.tidy(self.box.now)

    @rule(which=st.integers(0, KEEP - 1))
    def discard(self, which: int) -> None:
        """`whosthere strangers discard`, in another process."""
        if self.known:
            number = sorted(self.known)[which % len(self.known)]
            del self.known[number]
            with closing(StrangersFile(self.box.keeper.path, replace=False)) as other:
                other.forget([number])
            self.box.keeper.tidy(self.box.now)

    @rule(person=st.sampled_from(sorted(PEOPLE)))
    def enrol(self, person: int) -> None:
        """Named by whatever way; at most half of them, so that strangers are left."""
        if len(self.enrolled) < len(PEOPLE) // 2:
            self.enrolled.add(person)
            self.known = {n: known for n, known in self.known.items() if known.person != person}
            people = {f"p{n}": PEOPLE[n] for n in self.enrolled}
            self.box.matcher = self.box.keeper.matcher = Matcher(gallery_of(**people), 0.5, 0.05, CALIBRATION)
            self.box.keeper.tidy(self.box.now)

    @rule(killed=st.booleans())
    def restart(self, killed: bool) -> None:
        if not killed:
            self.box.keeper.close()
        matcher = self.box.matcher
        self.box = Box(self.folder, self.box.now, keep=KEEP)
        self.box.matcher = self.box.keeper.matcher = matcher
        self.box.keeper.tidy(self.box.now)

    @invariant()
    def knows_whom_it_should(self) -> None:
        told = {stranger.number: stranger.times for stranger in self.box.watch.known.people}
        assert told == {number: known.times for number, known in self.known.items()}

    @invariant()
    def nothing_else_is_on_disk(self) -> None:
        content = b"".join(path.read_bytes() for path in self.folder.iterdir())
        with closing(StrangersFile(self.box.keeper.path, replace=False)) as other:
            kept = other.visits()
        assert {visit.stranger for visit in kept} == set(self.known)
        assert all(self.box.now - visit.seen <= HOUR_S for visit in kept)
        assert content.count(b"\xff\xd8\xff\xe0") == sum(len(visit.unpacked) for visit in kept), "JPEG files"

    def expire(self) -> None:
        limit = self.box.now - HOUR_S
        self.known = {number: known for number, known in self.known.items() if known.last >= limit}


TestStrangers = StrangersModel.TestCase
TestStrangers.settings = settings(deadline=None, max_examples=40, stateful_step_count=25)
