"""The guard of CI: instructions per stage, added up, compared with the recorded ones, and the stage named."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.config.sections import ModelSettings
from edge.faces.loading import load_embedder
from tools.bench import counting, guard, replay
from tools.bench.cores import differences
from tools.bench.cores import summed as summed_core
from tools.bench.counted import BARE, BETWEEN, OUTSIDE, Labels
from tools.bench.counting import _dumps, bare_counts, summed
from tools.bench.guard import GuardRecord

RECORDED = GuardRecord(
    {"motion": 500_000, "detect": 900_000, "tiny": 1_000}, {"detect, detector": 1.0}, {"numpy": "2.0"}
)


def with_counts(**own: int) -> GuardRecord:
    return msgspec.structs.replace(RECORDED, own=RECORDED.own | own)


def test_counts_are_added_up_by_their_labels() -> None:
    """A frame that only loads, one with motion and a detection, one with motion only; then a search."""
    loading = [(OUTSIDE, 9_000, -1), (BETWEEN, 7_000, 0), ("motion", 50_000, 0)]
    moved = [(OUTSIDE, 77, 0), (BETWEEN, 10, 1), ("motion", 300, 1), (OUTSIDE, 5, 1), (BETWEEN, 20, 1)]
    found = [("detect", 3000, 1), (OUTSIDE, 5, 1), (BETWEEN, 30, 1)]
    still = [(OUTSIDE, 7, 1), (BETWEEN, 10, 2), ("motion", 300, 2), (OUTSIDE, 5, 2), (BETWEEN, 40, 2)]
    marks = [*loading, *moved, *found, *still, (OUTSIDE, 1, -1), ("match", 50, -1)]
    words, counts, frames = zip(*((label, count, at) for label, count, at in marks), strict=True)
    labels = Labels(list(words), list(frames), {"detect": {"detector": 2}}, 3)

    own, whole = (summed(labels, counts, networks, {}) for networks in (None, {"detector": 1000}))

    assert own.own_per_frame == round((300 + 3000 + 300 + 10 + 20 + 30 + 10 + 40) / 2)
    assert (own.overhead, own.networks, own.stages["detect"].ratio) == (None, {}, None)
    detect, motion = whole.stages["detect"], whole.stages["motion"]
    assert (detect.calls, detect.own, detect.runs, detect.ratio) == (1, 3000, {"detector": 2}, 2.5)
    assert (motion.calls, motion.own, motion.runs, motion.ratio) == (2, 300, {}, None)
    assert whole.stages["match"].own == 50
    assert OUTSIDE not in whole.stages
    assert whole.bare_per_frame == round(2000 / 3)
    assert whole.overhead == pytest.approx((1855 + 2000 / 3) / (2000 / 3), abs=0.001)


def test_each_network_alone() -> None:
    labels = Labels([OUTSIDE, BARE + "detector", OUTSIDE, BARE + "embedder"], [-1] * 4, {}, 0)
    assert bare_counts(labels, [1, 200, 3, 400]) == {"detector": 200, "embedder": 400}


def test_answers_are_given_again_in_their_order(tmp_path: Path) -> None:
    with replay.recording() as opened:
        embedder = load_embedder(ModelSettings(threads=1))
        crops = [np.full((112, 112, 3), grey, np.uint8) for grey in (40, 90, 200)]
        first = [embedder.embed([crop])[0] for crop in crops]
    replay.save(tmp_path / "answers.npz", [network.answers for network in opened])
    with replay.replaying(replay.load(tmp_path / "answers.npz")):
        again = load_embedder(ModelSettings(threads=1, xnnpack=False))
        black = np.zeros((112, 112, 3), np.uint8)
        second = [again.embed([black])[0] for _ in crops]

    np.testing.assert_array_equal(first, second)
    with pytest.raises(SystemExit, match="more often than when its answers were recorded"):
        again.embed([black])


def test_what_valgrind_wrote_is_read(tmp_path: Path) -> None:
    for number, count in ((1, 111), (2, 222)):
        text = f"version: 1\ncreator: callgrind\nevents: Ir\nsummary: {count}\n\nfn=(1) main\n0 5\n\ntotals: {count}\n"
        (tmp_path / f"counts.{number}").write_text(text)

    assert list(_dumps(tmp_path, 2)) == [111, 222]
    with pytest.raises(SystemExit, match="3 marks, 2 counts"):
        list(_dumps(tmp_path, 3))
    (tmp_path / "counts.2").write_text("version: 1\n")
    with pytest.raises(SystemExit, match=r"counts\.2: Valgrind wrote no count"):
        list(_dumps(tmp_path, 2))


def test_a_stage_that_became_more_than_ten_percent_worse_is_named() -> None:
    assert guard.worse(RECORDED, RECORDED) == []
    assert guard.worse(RECORDED, with_counts(motion=549_000)) == []
    assert guard.worse(RECORDED, with_counts(motion=400_000)) == []

    [line] = guard.worse(RECORDED, with_counts(motion=560_000))

    assert line.startswith("  motion: found 560,000 instructions per call, +12.0 %; recorded 500,000; allowed: 10 %")


def test_a_few_instructions_more_are_no_matter() -> None:
    assert guard.worse(RECORDED, with_counts(tiny=5_999)) == []
    assert len(guard.worse(RECORDED, with_counts(tiny=6_000))) == 1


def test_a_network_that_runs_more_often_is_named() -> None:
    [line] = guard.worse(RECORDED, msgspec.structs.replace(RECORDED, runs={"detect, detector": 2.0}))
    assert "detect, detector: found 2.0 runs per call, +100.0 %; recorded 1.0" in line


def test_stages_that_came_or_went_must_be_recorded() -> None:
    gone = msgspec.structs.replace(RECORDED, own={"motion": 500_000, "tiny": 1_000})
    [line] = guard.worse(RECORDED, gone)
    assert "detect: recorded 900,000 instructions per call, but there are none any more" in line
    [line] = guard.worse(gone, RECORDED)
    assert "detect: found 900,000 instructions per call, none are recorded" in line


def test_other_versions_are_named_as_a_possible_reason() -> None:
    assert "other versions" not in " ".join(guard.advice(RECORDED, RECORDED))
    newer = msgspec.structs.replace(RECORDED, counted_with={"numpy": "2.1"})
    assert "numpy 2.0 -> 2.1" in " ".join(guard.advice(RECORDED, newer))
    assert guard.RECORD in guard.advice(RECORDED, RECORDED)[0]


def test_what_became_better_is_worth_recording() -> None:
    assert "motion" in list(guard.report(RECORDED, with_counts(motion=400_000)))[-1]
    assert "better" not in " ".join(guard.report(RECORDED, with_counts(motion=460_000)))


def test_a_missing_or_garbled_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no such file; make it with `make bench-record`"):
        guard.read(tmp_path / "guard.json")
    (tmp_path / "guard.json").write_text('{"own": 1}')
    with pytest.raises(SystemExit, match="make it again with `make bench-record`"):
        guard.read(tmp_path / "guard.json")


def test_seconds_on_an_emulated_core_are_added_up_by_frame() -> None:
    text = "counted fmla 10 other 90\nsome warning\ncounted fmla 30 other 270\ncounted fmla 30 other 1270\n"
    assert list(differences(text)) == [100, 200, 1000]

    marks = [(OUTSIDE, 9, -1), (BETWEEN, 1, 0), ("motion", 2, 0), (OUTSIDE, 9, 0), (BETWEEN, 3, 1), ("embed", 60, 1)]
    marks += [(OUTSIDE, 9, 1), (BARE + "embedder", 50, 1)]
    words, counts, frames = zip(*((label, round(n * 1e6), at) for label, n, at in marks), strict=True)
    core = summed_core("cortex-a72", Labels(list(words), list(frames), {}, 2), counts, range(1), range(1, 2))

    assert (core.idle, core.visit, core.bare, core.overhead) == (3.0, 63.0, 50.0, 1.26)


def test_the_recorded_counts_in_the_tree() -> None:
    recorded = guard.read(guard.PATH)

    assert {"motion", "detect", "detect near", "landmarks", "embed", "decide", "match"} <= set(recorded.own)
    assert {"detect, detector", "detect near, near_detector", "embed, embedder"} <= set(recorded.runs)
    assert {"valgrind", "python", *counting.PACKAGES} <= set(recorded.counted_with)
    assert json.loads(guard.PATH.read_bytes()) == json.loads(msgspec.json.encode(recorded))
