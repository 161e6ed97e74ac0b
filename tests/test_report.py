"""The report: one page that needs no other file, from models side by side."""

import hashlib
import json
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from converter.__main__ import main
from converter.convert import card_yaml
from converter.drift import layers
from converter.graph import Graph
from converter.passes.mixed_precision import candidates
from converter.passes.precision import Quantiser, dynamic
from converter.passes.ranges import observe, percentile_ranges
from converter.passes.simplify import simplify
from edge.models import card
from support import small_lfw
from support.float_models import pictures
from support.needed import MATPLOTLIB
from support.placed_faces import make_pack

pytestmark = MATPLOTLIB


def bundled() -> Graph:
    graph = Graph((card.BUNDLED / "mobilefacenet.tflite").read_bytes())
    simplify(graph)
    return graph


def test_drift_is_seen_where_it_happens() -> None:
    graph = bundled()
    content, inputs = graph.pack(), pictures(graph, 3)
    one = candidates(graph)[10]
    ranges = percentile_ranges(observe(content, inputs), 30.0)
    Quantiser(graph, ranges).run({one})

    found = {layer.name: layer.agreement for layer in layers(content, graph.pack(), inputs)}

    before = list(found)[: list(found).index(one)]
    assert all(found[name] > 0.99999 for name in before)
    assert found[one] < 0.999
    assert list(found.values())[-1] > 0.9


@pytest.mark.slow
def test_the_page_holds_everything_and_nothing_from_elsewhere(tmp_path: Path) -> None:
    small_lfw.make(tmp_path / "small")
    graph = bundled()
    dynamic(graph)
    content = graph.pack()
    (tmp_path / "mine.tflite").write_bytes(content)
    known = card.read_card(card.find("mobilefacenet"))
    changed = msgspec.structs.replace(
        known,
        name="mine",
        file="mine.tflite",
        sha256=hashlib.sha256(content).hexdigest(),
        calibration=None,
        licence="<research> only",
    )
    (tmp_path / "mine.yaml").write_text(card_yaml(changed), encoding="utf-8")
    make_pack(tmp_path / "small_fp.bin")
    given = ["--model", "mobilefacenet", "--model", tmp_path / "mine.yaml", "--pairs", tmp_path / "small" / "pairs.txt"]
    rest = ["--images", tmp_path / "small" / "images", "-o", tmp_path / "out", "--cache", tmp_path / "cache"]
    rest += ["--pack", tmp_path / "small_fp.bin"]

    result = CliRunner().invoke(main, ["report", *map(str, [*given, *rest])])

    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    document = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert [e["model"] for e in document["evaluations"]] == ["mobilefacenet", "mine"]
    assert document["evaluations"][0]["in_force"]["threshold"] > 0
    assert document["profiles"]["models"][1]["nodes"] == 1
    assert page.count("data:image/png;base64,") == 3
    # Two genuine and two impostor pairs of two pictures.
    assert page.count("data:image/jpeg;base64,") == 8
    assert re.search(r"<th>small_fp<br><span class=\"note\">4 pairs</span></th>", page)
    assert len(document["packs"]["small_fp"]) == 2
    assert "its card has no calibration" in page
    assert '<td>mine</td><td style="text-align:left">&lt;research&gt; only</td>' in page
    assert document["licences"]["mobilefacenet"].startswith("MIT")
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert str(tmp_path) not in page
    for name in ("roc", "det", "scores"):
        assert (tmp_path / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
