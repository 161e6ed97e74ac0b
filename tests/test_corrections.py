"""What the owner says about visits: a rejected one only ever takes a name away, and outlasts every push."""

import itertools
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge.__main__ import main
from edge.config.loading import load_config
from edge.config.visits import UnknownFacesSettings, VisitSettings
from edge.daemon.gallery_manager import GalleryManager
from edge.diary.diary_file import DiaryFile, NewVisit
from edge.errors import GalleryError, UsageError
from edge.events import Event
from edge.faces.loading import load_embedder
from edge.galleries.atomic_file import write_whole
from edge.galleries.corrections import (
    MAX_ANCHORS,
    MAX_IGNORED,
    corrections_path,
    no_corrections,
    read_corrections,
    write_corrections,
)
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Template
from edge.records import Doubt, Outcome, Pose, Quality, SeenFaces, Vector
from edge.sightings import Sighting
from edge.visits.decision import match_visit
from edge.visits.fusion import FusedFaces
from edge.visits.manager import VisitManager
from edge.visits.matcher import Matcher
from edge.visits.rejection import _in_common, check_rejection, price_of
from edge.visits.thresholds import LinkingThresholds
from edge.visits.unknown_faces import UnknownFaces
from support.broker import Broker
from support.daemon import running, visitors, write_config
from support.diaries import contents, visit
from support.people import AT, DIMENSIONS, PLACE, alike, gallery_of, quality, somebody
from test_explain import CALIBRATION

EMBEDDER = EmbedderId("vectors", "0" * 64)
PERSON = "barack-obama"
ADA, BEN = somebody(1), somebody(2)


def near(template: Vector, similarity: float, seed: int) -> Vector:
    return alike(template, similarity, seed)


# What an anchor does.


def _mixed(ada: float, ben: float, seed: int) -> Vector:
    vector = ada * ADA + ben * BEN + 0.5 * somebody(seed)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


Probes = st.builds(_mixed, st.floats(-1, 1), st.floats(-1, 1), st.integers(100, 140))


def by_day(*vectors: Vector) -> SeenFaces:
    return SeenFaces(np.stack(vectors), np.zeros(len(vectors), np.bool_))


def matchers(anchors: dict[str, list[Vector]], threshold: float = 0.4) -> tuple[Matcher, Matcher]:
    """Without and with the anchors."""
    gallery = gallery_of(ada=ADA, ben=BEN)
    stacked = {person: by_day(*vectors) for person, vectors in anchors.items() if vectors}
    return Matcher(gallery, threshold, 0.05, None), Matcher(gallery, threshold, 0.05, None, stacked)


Anchored = st.fixed_dictionaries({"ada": st.lists(Probes, max_size=4), "ben": st.lists(Probes, max_size=4)})


@settings(max_examples=300, deadline=None, derandomize=True)
@given(anchors=Anchored, probe=Probes, by=st.floats(0, 0.6))
def test_anchors_only_ever_take_a_name_away(anchors: dict[str, list[Vector]], probe: Vector, by: float) -> None:
    before, after = matchers(anchors)
    # Half of the probes are near an anchor: at random, hardly any is.
    for one in [probe, *(alike(a, 1 - by, 7) for a in anchors["ada"])]:
        was, now = before.match(one), after.match(one)
        assert now.person is None or now.person == was.person
        if now.outcome is not was.outcome:
            assert (was.outcome, now.outcome, now.doubt) == (Outcome.RECOGNIZED, Outcome.UNKNOWN, Doubt.REJECTED)
        assert (now.best, now.runner_up, now.threshold) == (was.best, was.runner_up, was.threshold)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(anchors=Anchored, faces=st.lists(Probes, min_size=1, max_size=8))
def test_nor_do_they_name_anybody_else_when_faces_fall_into_groups(
    anchors: dict[str, list[Vector]], faces: list[Vector]
) -> None:
    before, after = matchers(anchors)
    fused = FusedFaces()
    for n, face in enumerate([*faces, *anchors["ada"]]):
        fused.add(quality(), face, float(n))
    was, now = (match_visit(one, fused, VisitSettings(min_faces=1), frozenset()) for one in (before, after))
    assert was is not None and now is not None
    assert now.person is None or (was.person is not None and now.person.person_id == was.person.person_id)


def test_the_rejected_visitor_loses_the_name_and_the_person_keeps_it() -> None:
    stranger = near(ADA, 0.55, 3)
    before, after = matchers({"ada": [stranger]})
    again = near(stranger, 0.9, 4)
    assert before.match(again).outcome is Outcome.RECOGNIZED
    assert (after.match(again).outcome, after.match(again).doubt) == (Outcome.UNKNOWN, Doubt.REJECTED)
    for seed in range(10, 60):
        own = near(ADA, 0.7, seed)
        assert after.match(own).outcome is before.match(own).outcome is Outcome.RECOGNIZED
    nearly = (0.51 * ADA + 0.5 * stranger).astype(np.float32)
    assert after.match(nearly / np.linalg.norm(nearly)).outcome is Outcome.RECOGNIZED, "not clearly nearer"


# What it costs.


def test_the_price_is_that_of_the_calibration_and_of_her_own_photos() -> None:
    gallery = gallery_of(ada=ADA)
    more = near(ADA, 0.8, 5)
    gallery = gallery.with_templates("ada", [more], [Template("two", 1.0, AT)], AT)
    matcher = Matcher(gallery, 0.45, 0.05, CALIBRATION)
    templates = gallery.seen(gallery.people[0])
    anchor = near(ADA, 0.5, 6)
    price = price_of(by_day(anchor), templates, matcher)
    s = float((templates.vectors @ anchor).max())
    assert price.miss_rate == CALIBRATION.rate_at((0.45 * (1 - s) + 0.05) / np.sqrt((1 - 0.45**2) * (1 - s**2)))
    dearer = price_of(by_day(near(ADA, 0.7, 6)), templates, matcher).miss_rate
    assert dearer is not None and dearer > price.miss_rate, "the nearer to her, the dearer"
    assert price.spare == pytest.approx(0.8 + 0.05 - max(0.5, float(anchor @ more)), abs=1e-4)
    assert price_of(by_day(anchor), by_day(templates.vectors[0]), matcher).spare is None
    assert check_rejection(by_day(anchor), templates, matcher, "Ada") == price
    with pytest.raises(UsageError, match="the visit shows them, or the photo shows somebody else"):
        check_rejection(by_day(near(ADA, 0.9, 8)), templates, matcher, "Ada")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(anchor=st.floats(0.3, 0.95), own=st.floats(0.4, 0.95), common=st.floats(-1, 1))
def test_a_visit_is_missed_exactly_when_it_has_enough_in_common_with_the_anchor(
    anchor: float, own: float, common: float
) -> None:
    t, x, z = np.eye(3, DIMENSIONS, dtype=np.float32)
    y = common * x + np.sqrt(1 - common**2) * z
    rejected = (anchor * t + np.sqrt(1 - anchor**2) * y).astype(np.float32)
    probe = (own * t + np.sqrt(1 - own**2) * x).astype(np.float32)
    needed = _in_common(anchor, own, 0.05)
    assume(abs(needed - common) > 1e-3)
    matcher = Matcher(gallery_of(ada=t), 0.4, 0.05, None, {"ada": by_day(rejected)})
    assume(own > 0.401)
    assert (matcher.match(probe).doubt is Doubt.REJECTED) == (common > needed)
    assert needed >= _in_common(anchor, 0.4, 0.05), "less similar visits are missed first"


# Strangers to ignore.


def door(ignored: list[Vector]) -> VisitManager:
    vectors = by_day(*ignored) if ignored else None
    matcher = Matcher(gallery_of(ada=ADA, ben=BEN), 0.5, 0.05, None, None, vectors)
    ids = (f"v{n}" for n in itertools.count(1))
    settings_ = VisitSettings(gap_s=5)
    return VisitManager(settings_, LinkingThresholds(0.45, 0.15, 0.3), matcher, lambda: next(ids), pictures=True)


def stay(visits: VisitManager, *faces: Vector) -> list[Event]:
    """One visitor, seen ten times a second, and gone."""
    picture = np.zeros((300, 300, 3), np.uint8)
    events = []
    for n, one in enumerate(faces):
        events += visits.update([Sighting(1, n / 10, PLACE, 0.0, quality(), one)], {1}, n / 10, picture)
    return events + visits.flush(60.0)


POSTMAN = somebody(77)


def test_of_an_ignored_stranger_only_the_beginning_and_the_end_are_published() -> None:
    faces = [near(POSTMAN, 0.9, seed) for seed in range(40)]
    loud, quiet = stay(door([]), *faces), stay(door([POSTMAN]), *faces)
    assert [event.kind.value for event in loud] == ["started", "unknown", "ended"]
    assert [event.kind.value for event in quiet] == ["started", "ended"]
    assert quiet[-1].silenced and not loud[-1].silenced
    assert quiet[-1].account is not None
    assert [one.kind.value for one in quiet[-1].account.decisions] == ["unknown"], "the diary has it"
    settings_ = UnknownFacesSettings(keep=5)
    keeper = UnknownFaces(Path("nowhere"), settings_)
    assert keeper.wants(loud[-1]) and not keeper.wants(quiet[-1])


def test_other_strangers_and_the_known_are_not_ignored() -> None:
    for face, said in ((somebody(78), "unknown"), (near(ADA, 0.8, 5), "recognized")):
        assert [event.kind.value for event in stay(door([POSTMAN, ADA]), *[face] * 40)] == ["started", said, "ended"]


def test_an_ignored_stranger_who_turns_out_to_be_known_is_named_without_correcting_anything() -> None:
    masked = (0.3 * ADA + 0.6 * POSTMAN).astype(np.float32)
    masked /= np.linalg.norm(masked)
    events = stay(door([masked]), *[masked] * 40, *[near(ADA, 0.9, 4)] * 60)
    assert [(event.kind.value, event.corrects) for event in events] == [
        ("started", None),
        ("recognized", None),
        ("ended", None),
    ]
    assert not events[-1].silenced


def test_the_bar_for_ignoring_follows_from_the_calibration() -> None:
    gallery = gallery_of(ada=ADA)
    for count in (1, 2, 50):
        vectors = by_day(*(somebody(seed) for seed in range(count)))
        matcher = Matcher(gallery, 0.45, 0.05, CALIBRATION, None, vectors)
        rate = CALIBRATION.rate_at(matcher.ignoring_similarity) * count
        assert rate == pytest.approx(CALIBRATION.rate_at(0.45), rel=1e-6)
    assert Matcher(gallery, 0.45, 0.05, None, None, vectors).ignoring_similarity == 0.45


# The file.


def test_what_was_written_is_read_and_other_embedders_read_nothing(tmp_path: Path) -> None:
    gallery = tmp_path / "family.whg"
    assert read_corrections(gallery, EMBEDDER, 512) == no_corrections(EMBEDDER)
    made = no_corrections(EMBEDDER).with_anchor("ada", "v1", ADA, ["ben"], AT)
    write_corrections(made, gallery)
    assert corrections_path(gallery).stat().st_mode & 0o777 == 0o600
    assert read_corrections(gallery, EMBEDDER, 512) == made
    assert (made.anchored_faces()["ada"].vectors == ADA).all()
    other = EmbedderId("other", "1" * 64)
    assert read_corrections(gallery, other, 512) == no_corrections(other)
    with pytest.raises(GalleryError, match=r"damaged: correction .* holds no embedding"):
        read_corrections(gallery, EMBEDDER, 128)


def test_the_light_of_a_visit_is_kept_and_files_without_it_are_read(tmp_path: Path) -> None:
    gallery = tmp_path / "family.whg"
    made = no_corrections(EMBEDDER).with_anchor("ada", "v1", ADA, [], AT, infrared=True).with_ignored("v2", BEN, [], AT)
    write_corrections(made, gallery)
    found = read_corrections(gallery, EMBEDDER, 512)
    assert found.anchored_faces()["ada"].infrared.tolist() == [True]
    path = corrections_path(gallery)
    former = json.loads(path.read_bytes())
    for one in [*former["anchors"], *former["ignored"]]:
        del one["infrared"]
    path.write_text(json.dumps(former))
    found = read_corrections(gallery, EMBEDDER, 512)
    assert found.anchored_faces()["ada"].infrared.tolist() == [False]
    assert (ignored := found.ignored_faces()) is not None and ignored.infrared.tolist() == [False]


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 9999, b"\xff", b'{"schema_version": 2}'])
def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    gallery = tmp_path / "family.whg"
    write_whole(content, corrections_path(gallery))
    with pytest.raises(GalleryError, match=r"family\.whg\.corrections\.json: damaged: .*remove it to do without"):
        read_corrections(gallery, EMBEDDER, 512)


def test_a_person_has_a_limited_number_of_them() -> None:
    made = no_corrections(EMBEDDER)
    for n in range(MAX_ANCHORS):
        made = made.with_anchor("ada", f"v{n}", ADA, [], AT)
    with pytest.raises(
        UsageError, match=f"ada: found 10 rejected visits; allowed: 10; .*visit undo {made.anchors[0].id}"
    ):
        made.with_anchor("ada", "v99", ADA, [], AT)
    with pytest.raises(UsageError, match="visit v3 has been rejected for ada already"):
        made.with_anchor("ada", "v3", ADA, [], AT)
    assert len(made.with_anchor("ben", "v3", ADA, [], AT).of("ben")) == 1


def test_whoever_may_be_in_a_rejected_visit_is_forgotten_with_it() -> None:
    made = no_corrections(EMBEDDER)
    made = made.with_anchor("ada", "v1", ADA, ["ben"], AT).with_anchor("cleo", "v2", BEN, [], AT)
    assert [a.visit_id for a in made.forgetting("ben").anchors] == ["v2"]
    assert [a.visit_id for a in made.forgetting("cleo").anchors] == ["v1"]
    assert made.forgetting("dora") == made


# The commands, and the daemon.


@pytest.fixture
def config(tmp_path: Path, demo_gallery: Path) -> Path:
    """A box that remembers one visit, which resembled Barack Obama."""
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    made = write_config(tmp_path, Broker(tmp_path, port=9), gallery, diary={"embeddings_days": 5})
    diary = DiaryFile(tmp_path / "diary.sqlite3", 10)
    diary.add(NewVisit(visit(0, PERSON), (impostor(gallery),)))
    diary.add(NewVisit(visit(1, PERSON)))
    diary.close()
    return made


def known(gallery: Path) -> tuple[Gallery, Vector]:
    found = open_gallery(gallery, None)
    person = found.person(PERSON)
    assert person is not None
    return found, found.vectors(person)[0]


def impostor(gallery: Path, similarity: float = 0.6, seed: int = 3) -> Vector:
    """Somebody who looks like him."""
    template = known(gallery)[1]
    other = np.random.default_rng(seed).normal(size=len(template))
    other -= template * float(other @ template)
    other /= np.linalg.norm(other)
    return (similarity * template + np.sqrt(1 - similarity**2) * other).astype(np.float32)


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(config)])


def manager(config: Path) -> GalleryManager:
    loaded = load_config(config)
    return GalleryManager(loaded, load_embedder(loaded.config.models, loaded.base), datetime.now(UTC))


def test_a_running_daemon_applies_a_correction_and_its_undoing_and_a_push_leaves_it_alone(config: Path) -> None:
    gallery, kept = config.parent / "gallery.whg", manager(config)
    probe = impostor(gallery)

    def named() -> bool:
        assert kept.changed()
        matcher = kept.reload(load_config(config), datetime.now(UTC))
        assert not kept.changed()
        return matcher.match(probe).outcome is Outcome.RECOGNIZED

    assert kept.matcher.match(probe).outcome is Outcome.RECOGNIZED
    done = run(config, "visit", "reject", visit(0).id, "Barack Obama")
    assert done.exit_code == 0, done.output
    assert "1 of 10 for them" in done.stdout and "is missed for it" in done.stdout
    assert not named()
    found = known(gallery)[0]
    write_gallery(found.renamed(found.people[1], "Somebody Else", AT), gallery)
    assert not named(), "the desktop has pushed"
    [line] = json.loads(run(config, "visit", "corrections", "--json").stdout)
    assert (line["person_name"], line["visit_id"]) == ("Barack Obama", visit(0).id)
    assert 0 < line["miss_rate"] < 0.05
    assert line["id"] in run(config, "visit", "corrections").stdout
    assert run(config, "visit", "undo", line["id"]).exit_code == 0
    assert named()
    assert "no correction" in run(config, "visit", "corrections").stdout
    kept.close()


def test_a_visit_at_night_is_rejected_and_ignored_as_one(config: Path) -> None:
    gallery = config.parent / "gallery.whg"
    night = Quality(0.8, 60.0, 60.0, 120.0, Pose(3.0, 2.0, 0.0), 0.99, None, infrared=True)
    diary = DiaryFile(config.parent / "diary.sqlite3", 10)
    for n, named in ((5, PERSON), (6, None)):
        record = msgspec.structs.replace(visit(n, named, PERSON), best_face=night)
        diary.add(NewVisit(record, (impostor(gallery, seed=n),)))
    diary.close()
    for arguments in (("reject", visit(0).id, PERSON), ("reject", visit(5).id, PERSON), ("ignore", visit(6).id)):
        assert run(config, "visit", *arguments).exit_code == 0
    found = json.loads(corrections_path(gallery).read_bytes())
    assert [one["infrared"] for one in [*found["anchors"], *found["ignored"]]] == [False, True, True]


def test_damaged_corrections_hold_up_neither_the_daemon_nor_a_new_gallery(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(config, "visit", "reject", visit(0).id, PERSON).exit_code == 0
    gallery, kept = config.parent / "gallery.whg", manager(config)
    corrections_path(gallery).write_bytes(b"{")
    assert kept.changed()
    matcher = kept.reload(load_config(config), datetime.now(UTC))
    assert matcher.match(impostor(gallery)).doubt is Doubt.REJECTED, "those from before are used"
    assert "corrections.json: damaged" in caplog.text
    assert not kept.changed()
    kept.close()
    assert run(config, "visit", "undo").exit_code == 4


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["reject", visit(1).id, PERSON], 3, "no embedding was kept of this visit; diary.embeddings_days: found 5"),
        (["reject", visit(0).id, "Joe Biden"], 2, f"resembled {PERSON}, not joe-biden, so there is nothing to reject"),
        (["reject", visit(0).id, "Eve"], 2, "found nobody called 'Eve'; in the gallery: Barack Obama"),
        (["reject", "v9", PERSON], 2, "found no visit 'v9'"),
        (["undo"], 2, "found no correction ; there are: none"),
        (["undo", "abcdef"], 2, "found no correction abcdef; there are: none"),
    ],
)
def test_what_makes_no_sense_is_refused(config: Path, arguments: list[str], code: int, said: str) -> None:
    done = run(config, "visit", *arguments)
    assert (done.exit_code, said in done.output) == (code, True), done.output
    assert not corrections_path(config.parent / "gallery.whg").exists()


def test_corrections_of_somebody_forgotten_go_with_them(config: Path) -> None:
    assert run(config, "visit", "reject", visit(0).id, PERSON).exit_code == 0
    assert PERSON.encode() in contents(config.parent)
    done = run(config, "gallery", "remove", PERSON, "--yes", "--forget")
    assert done.exit_code == 0, done.output
    assert "corrections.json: 1 correction" in done.stdout
    assert f'"{PERSON}"'.encode() not in contents(config.parent)


@pytest.mark.slow
def test_the_next_visit_of_a_rejected_visitor_is_unknown_and_explained(tmp_path: Path, demo_gallery: Path) -> None:
    """With one photo per person, nothing says that the rejected visitor was in fact him."""
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    camera = {"source": str(visitors(tmp_path / "one.avi", 0))}
    config = write_config(tmp_path, Broker(tmp_path, port=9), gallery, camera=camera, diary={"embeddings_days": 1})
    for _ in range(2):
        with running(config) as daemon:
            assert daemon.wait() == 0
        visits = json.loads(run(config, "visits", "--json").stdout)
        mine = [one for one in visits if one["best"]["person_id"] == PERSON]
        if mine[-1]["decision"] == "recognized":
            for one in mine:
                assert run(config, "visit", "reject", one["visit_id"], PERSON).exit_code == 0
    assert mine[-1]["decision"] == "unknown" and mine[-1]["best"]["similarity"] > mine[-1]["threshold"]
    assert "nearer to a visit that you rejected" in run(config, "explain", mine[-1]["visit_id"]).stdout


def test_a_stranger_is_ignored_and_spoken_of_again_by_command(config: Path) -> None:
    gallery, kept = config.parent / "gallery.whg", manager(config)
    stranger = impostor(gallery, 0.1, 9)
    diary = DiaryFile(config.parent / "diary.sqlite3", 10)
    diary.add(NewVisit(visit(7, None, PERSON), (stranger,)))
    diary.close()
    done = run(config, "visit", "ignore", "last")
    assert done.exit_code == 0, done.output
    assert "1 of 50" in done.stdout and "one other stranger in 1,000" in done.stdout
    assert kept.changed() and kept.reload(load_config(config), datetime.now(UTC)).ignores(stranger)
    again = run(config, "visit", "ignore", "last")
    assert again.exit_code == 2 and "is ignored already" in again.output
    named = run(config, "visit", "ignore", visit(0).id)
    assert named.exit_code == 2 and "ended recognized; allowed: unknown" in named.output
    [line] = json.loads(run(config, "visit", "corrections", "--json").stdout)
    assert (line["kind"], line["person_id"]) == ("ignored", None)
    assert "is ignored" in run(config, "visit", "corrections").stdout
    undone = run(config, "visit", "undo")
    assert "is not ignored any more" in undone.stdout
    assert not kept.reload(load_config(config), datetime.now(UTC)).ignores(stranger)
    kept.close()


def test_there_is_room_for_fifty_strangers() -> None:
    made = no_corrections(EMBEDDER)
    for n in range(MAX_IGNORED):
        made = made.with_ignored(f"v{n}", ADA, ["ben"], AT)
    with pytest.raises(UsageError, match="found 50 ignored strangers; allowed: 50"):
        made.with_ignored("v99", ADA, [], AT)
    assert made.forgetting("ben").ignored == []
