"""The whole daemon with an embedder on an Edge TPU that is unplugged and comes back."""

import os
from pathlib import Path

import pytest

from support import tiny_models
from support.broker import Listener, running_broker
from support.daemon import TOPIC, decoded, running, visit_events, write_config
from support.stick import Stick


@pytest.mark.slow
def test_it_goes_on_without_the_device_and_health_says_where_networks_run(tmp_path: Path) -> None:
    card = tiny_models.write_compiled(tmp_path, tiny_models.identity(quantised=True, compiled=True))
    stick = Stick(tmp_path)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "STUB_EDGETPU": str(tmp_path / "stick")}
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as home:

        def on_it() -> list[str]:
            reports = home.on(f"{TOPIC}/health")
            return decoded(reports[-1])["model"]["edge_tpu"] if reports else []

        config = write_config(
            tmp_path,
            broker,
            tmp_path / "none.whg",
            camera={"realtime": True, "loop": True},
            models={"embedder": str(card), "accelerator": "edgetpu"},
            match={"threshold": 0.9},
        )
        with running(config, environment=environment) as daemon:
            home.wait(lambda: ("unknown", None) in visit_events(home))
            home.wait(lambda: on_it() == ["tiny"])
            stick.unplug()
            daemon.wait_for_log("the Edge TPU has failed")
            home.wait(lambda: on_it() == [])
            asked, decided = len(stick.log), visit_events(home).count(("unknown", None))
            home.wait(lambda: visit_events(home).count(("unknown", None)) > decided)
            assert stick.log[asked:].count("invoke ") == 0
            stick.plug_in()
            daemon.wait_for_log("the Edge TPU is back")
            home.wait(lambda: on_it() == ["tiny"])
            assert "blazeface-back runs on the CPU, as it is not compiled for the Edge TPU" in daemon.log
