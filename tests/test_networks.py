"""The networks are found by their roles, and one more is one more entry in the table."""

import msgspec
import pytest

from edge.config.loading import default_config
from edge.config.sections import ModelSettings
from edge.errors import ModelError
from edge.faces import loading
from edge.faces.loading import DETECTOR, EMBEDDER, Role, assemble, load_networks
from edge.inspection.doctor import Doctor
from support.portraits import OBAMA, read_picture

SECOND_OPINION = Role("second_opinion", "detect", optional=True)


class MoreModels(ModelSettings, frozen=True):
    """The section `models` with one more key."""

    second_opinion: str | None = None


@pytest.fixture(autouse=True)
def one_more_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "ROLES", (SECOND_OPINION, *loading.ROLES))


def test_a_role_is_one_entry_wherever_it_stands() -> None:
    config = default_config().config
    networks = load_networks(MoreModels(second_opinion="blazeface-short-range"))

    assert networks[SECOND_OPINION].card.name == "blazeface-short-range"
    assert (networks[DETECTOR].card.name, networks[EMBEDDER].card.name) == ("blazeface-back", "mobilefacenet")
    (face,) = assemble(networks, config.detect, config.quality).portraits(read_picture(OBAMA))
    assert face.embedding is not None


def test_an_optional_network_may_be_left_out_and_a_network_of_another_task_is_refused() -> None:
    assert SECOND_OPINION not in load_networks(MoreModels())
    with pytest.raises(ModelError, match="task is 'embed'; 'detect' is needed"):
        load_networks(MoreModels(second_opinion="mobilefacenet"))


def test_whoever_lists_the_networks_lists_it_as_well() -> None:
    doctor = Doctor(None)
    config = msgspec.structs.replace(doctor.loaded.config, models=MoreModels(second_opinion="blazeface-short-range"))
    doctor.loaded = msgspec.structs.replace(doctor.loaded, config=config)

    named = {network.role: network.name for network in doctor.report().networks}
    assert named == {
        "second_opinion": "blazeface-short-range",
        "detector": "blazeface-back",
        "near_detector": "blazeface-short-range",
        "landmarks": "face-mesh",
        "embedder": "mobilefacenet",
    }
