"""Pictures of visits: which ones are published, and that the owner decides whether any is."""

import cv2
import msgspec
import numpy as np
import paho.mqtt.publish
import pytest

from edge.config.mqtt import MqttSettings, SnapshotSettings
from edge.events import EventKind
from edge.mqtt.snapshot import SnapshotChooser, jpeg
from support.broker import Broker, Listener, retained
from support.publishing import EVERYBODY, ROOT, event, match, picture, publisher, quality, recognized


def test_a_picture_is_published_with_a_decision_and_again_when_a_better_one_comes() -> None:
    chooser = SnapshotChooser()
    first, better = picture(1), picture(2)
    steps = [
        (event(picture=first, quality=quality(0.4)), None),
        (recognized(picture=first, quality=quality(0.5), provisional=True), first),
        (recognized(sequence=2, picture=first, quality=quality(0.5)), None),
        (event(EventKind.ENDED, sequence=3, picture=better, quality=quality(0.9)), better),
        (recognized("v2", picture=first, quality=quality(0.1)), first),
        (event(EventKind.ENDED, "v2", 2, picture=first, quality=quality(0.1)), None),
    ]
    for happened, expected in steps:
        assert chooser.update(happened) is expected


def test_a_picture_is_scaled_down_but_never_up() -> None:
    for width, expected in ((800, (480, 640)), (320, (600, 320))):
        shown = cv2.imdecode(np.frombuffer(jpeg(picture(90, width), SnapshotSettings()), np.uint8), cv2.IMREAD_COLOR)
        assert shown is not None
        assert shown.shape[:2] == expected
        assert abs(float(shown.mean()) - 90) < 2


def test_no_picture_leaves_unless_the_owner_allows_it_and_an_old_one_is_cleared(
    broker: Broker, mqtt: MqttSettings
) -> None:
    paho.mqtt.publish.single(f"{ROOT}/snapshot", b"an old picture", 1, retain=True, port=broker.port)
    box = publisher(mqtt)
    with Listener(broker, contract=False) as listener:
        box.start()
        box.people(EVERYBODY)
        box.snapshot(picture())
        box.publish(recognized(picture=picture()))
        listener.wait_for(f"{ROOT}/snapshot", b"")
        listener.publish(f"{ROOT}/command/snapshot", b"")
        refused = listener.wait_for(f"{ROOT}/command/result")
        box.stop(5)
    assert b"mqtt.snapshot.enabled" in refused.payload
    assert [m.payload for m in listener.on(f"{ROOT}/snapshot")] == [b"an old picture", b""]


@pytest.mark.parametrize("retain", [True, False])
def test_pictures_are_published_when_allowed_but_none_of_people_who_left_the_gallery(
    broker: Broker, mqtt: MqttSettings, retain: bool
) -> None:
    box = publisher(msgspec.structs.replace(mqtt, snapshot=SnapshotSettings(enabled=True, retain=retain)))
    with Listener(broker) as listener:
        box.start()
        box.people(EVERYBODY)
        listener.wait_for(f"{ROOT}/person/ada")
        box.publish(recognized(picture=picture()))
        shown = listener.wait_for(f"{ROOT}/snapshot")
        assert retained(broker).get(f"{ROOT}/snapshot") == (shown.payload if retain else None)
        box.people(EVERYBODY[1:])
        grey = listener.wait_for(f"{ROOT}/snapshot", count=2)
        box.publish(event(EventKind.ENDED, sequence=2, match=match(), picture=picture(), quality=quality(0.99)))
        listener.wait_for(f"{ROOT}/visit", count=2)
        box.stop(5)
    assert shown.payload.startswith(b"\xff\xd8\xff")
    assert len(grey.payload) < 1000 < len(shown.payload), "never empty: Home Assistant would show an error"
    assert [m.payload for m in listener.on(f"{ROOT}/snapshot")] == [shown.payload, grey.payload]
    assert retained(broker).get(f"{ROOT}/snapshot") == (grey.payload if retain else None)
