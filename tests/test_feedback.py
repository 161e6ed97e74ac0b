"""What the owner says, below the command line and the page: prices, strangers, and no network loaded for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge.config import typed_yaml
from edge.config.loading import load_config
from edge.errors import UsageError, WhosthereError
from edge.faces.loading import load_embedder
from edge.feedback.kept_strangers import all_strangers, opened_strangers
from edge.feedback.naming import name, price_of_naming
from edge.feedback.rejecting import ignore_stranger, price_of_rejecting, reject
from edge.feedback.remembered import embedder_facts
from edge.feedback.said import FeedbackPrice, price_text
from edge.feedback.undoing import list_corrections, undo
from edge.galleries.corrections import corrections_path, read_corrections
from support.household import PERSON, Household
from support.kept_strangers import NOW, keep, seen_as
from support.portraits import COLLINS, OBAMA_2009, OBAMA_2010


@pytest.fixture
def box(tmp_path: Path, demo_gallery: Path) -> Household:
    return Household(tmp_path, demo_gallery)


def test_the_card_says_of_the_embedder_what_the_network_says(box: Household) -> None:
    loaded = load_config(box.config)
    network, facts = load_embedder(loaded.config.models, loaded.base), embedder_facts(loaded)

    assert (facts.id, facts.dimensions, facts.card) == (network.id, network.dimensions, network.card)


def test_the_price_of_a_name_is_that_of_one_template_more_and_writes_nothing(box: Household) -> None:
    visit = box.came(box.looks_like(0.6), named=None)
    loaded = load_config(box.config)

    price = price_of_naming(loaded, visit, PERSON)

    assert box.templates() == 3
    # One in a thousand with three templates; his share grows from one in three to two in four.
    assert price.strangers_before == pytest.approx(0.001 / 3, rel=0.01)
    assert price.strangers_after == pytest.approx(0.001 / 2, rel=0.01)
    assert price_text(price, "Ada") == "this changes strangers called Ada from 1 in 3,000 to 1 in 2,000"
    assert name(loaded, visit, PERSON).price == price


def test_with_a_threshold_of_your_own_more_strangers_get_the_name(box: Household) -> None:
    visit = box.came(box.looks_like(0.6), named=None)
    box.config.write_text(box.config.read_text() + "match:\n  threshold: 0.5\n")

    price = price_of_naming(load_config(box.config), visit, PERSON)

    assert price.strangers_before is not None and price.strangers_after is not None
    assert price.strangers_after == pytest.approx(2 * price.strangers_before, rel=0.01)


def test_the_price_of_rejecting_is_known_before_it_is_paid(box: Household) -> None:
    visit = box.came(box.looks_like(0.6))
    loaded = load_config(box.config)

    price = price_of_rejecting(loaded, visit, PERSON)

    assert not corrections_path(box.path).exists()
    assert price.miss_rate is not None
    assert price_text(price, "Ada").startswith("of Ada's own visits that are only just similar enough, at most 1 in ")
    assert reject(loaded, visit, PERSON).price == price
    [line] = list_corrections(loaded)
    assert (line.meaning, line.visit_id) == ("was not Barack Obama", visit)
    assert undo(loaded, line.id).kind == "rejected"
    assert list_corrections(loaded) == []


def test_a_price_that_nobody_knows_is_not_made_up() -> None:
    assert price_text(FeedbackPrice(), "Ada") == ""
    assert price_text(FeedbackPrice(strangers_before=0.001, strangers_after=0.001), "Ada") == ""


@pytest.fixture
def kept(box: Household, monkeypatch: pytest.MonkeyPatch) -> Household:
    monkeypatch.setattr("time.time", lambda: NOW + 3600)
    settings = f"strangers:\n  group: true\n  keep: 9\n  keep_hours: 2160\n  path: {box.folder / 'kept'}\n"
    box.config.write_text(box.config.read_text() + settings)
    keep(box.config, 1, seen_as(OBAMA_2009), seen_as(OBAMA_2010))
    keep(box.config, 2, seen_as(COLLINS))
    return box


def test_a_stranger_who_came_again_is_ignored_and_forgotten(kept: Household) -> None:
    loaded = load_config(kept.config)

    said = ignore_stranger(loaded, 2)

    embedder = embedder_facts(loaded)
    [ignored] = read_corrections(kept.path, embedder.id, embedder.dimensions).ignored
    assert (said.kind, said.correction, said.price.ignored_rate) == ("ignored", ignored.id, 0.001)
    with opened_strangers(loaded) as file:
        assert list(all_strangers(file)) == [1]
    with pytest.raises(WhosthereError, match="found no stranger-2; kept on this box: stranger-1"):
        ignore_stranger(loaded, 2)


def test_a_stranger_of_another_embedder_can_only_be_discarded(kept: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    config = typed_yaml.parse(kept.config.read_text())
    config["models"]["embedder"] = "mobilefacenet-int8"
    kept.config.write_text(typed_yaml.dump(config))

    with pytest.raises(UsageError, match=r"came while models\.embedder was another one"):
        ignore_stranger(load_config(kept.config), 2)


def test_corrections_load_no_network(box: Household) -> None:
    visit = box.came(box.looks_like(0.6))
    program = (
        "import sys\nfrom pathlib import Path\nfrom edge.config.loading import load_config\n"
        "from edge.feedback.rejecting import reject\n"
        f"reject(load_config(Path({str(box.config)!r})), {visit!r}, {PERSON!r})\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('cv2', 'ai_edge_litert', 'tflite_runtime')))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
