"""From a folder of photos to another name in the MQTT events of the running daemon, over a real sshd."""

import shutil
import sys
import time
from pathlib import Path

from click.testing import CliRunner

from converter.__main__ import main
from support.album import make_album
from support.box import SIGNER
from support.broker import Listener, running_broker
from support.daemon import TOPIC, running, visit_events, visits, write_config
from support.sshd import new_key, running_sshd


def converter(*words: str) -> str:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_photos_become_another_name_at_the_door_within_a_second_of_the_push(tmp_path: Path) -> None:
    key = new_key(tmp_path / "ada")
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    (tmp_path / "allowed_signers").write_text(f'{SIGNER} namespaces="whosthere-gallery" {public}\n')
    people, bundle, gallery = make_album(tmp_path / "people"), tmp_path / "family.whg", tmp_path / "box.whg"
    converter("enroll", str(people), "-o", str(bundle), "--sign", str(key))
    shutil.copy(bundle, gallery)
    # Somebody has given the wrong name; the photos are right.
    (people / "obama" / "person.yaml").write_text("name: Barry O.\n")
    converter("enroll", str(people), "-o", str(bundle), "--sign", str(key))
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        config = write_config(
            tmp_path,
            broker,
            gallery,
            camera={"realtime": True, "loop": True},
            gallery={"path": str(gallery), "allowed_signers": "allowed_signers"},
        )
        with (
            running(config) as daemon,
            running_sshd(tmp_path / "sshd", key, f"{sys.executable} -m edge gallery receive --config {config}") as door,
        ):
            listener.wait(lambda: ("recognized", "barack-obama") in visit_events(listener))
            began = time.monotonic()
            answer = converter("push", str(bundle), "127.0.0.1", "--ssh", " ".join(door.ssh()))
            print(f"\npushed and acknowledged in {time.monotonic() - began:.2f} s\n{answer}")
            assert "in force" in answer
            daemon.wait_for_log("reload: gallery version 2, 3 people")
            listener.wait_for(f"{TOPIC}/person/barack-obama", b"")
            listener.wait(lambda: ("recognized", "barry-o") in visit_events(listener))
        named = [event for event in visits(listener) if event["person_id"] == "barry-o"]
        assert named[0]["person_name"] == "Barry O."
        assert named[0]["gallery_version"] == "2"
        assert f"signed by {SIGNER}" in daemon.log
