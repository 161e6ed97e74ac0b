"""Who is present and who came last, as events go by."""

from edge.events import EventKind
from edge.mqtt.presence import HOUSEHOLD, Presence
from edge.mqtt.queued_event import BootTime
from edge.mqtt.topics import Topics
from edge.records import Outcome
from support.publishing import ADA, EVERYBODY, GRACE, event, match, recognized

GRACE_AT_THE_DOOR = match(best=GRACE, runner_up=ADA)


def household() -> Presence:
    presence = Presence()
    presence.people(EVERYBODY)
    return presence


def test_a_person_is_present_from_the_first_name_to_the_end_of_the_visit() -> None:
    presence = household()
    seen = []
    for happened in (event(), recognized(provisional=True), recognized(sequence=2), event(EventKind.ENDED, sequence=3)):
        presence.update(happened)
        seen.append((presence.present["ada"], presence.last_name))

    assert seen == [(False, None), (True, None), (True, "Ada Lovelace"), (False, "Ada Lovelace")]


def test_a_final_decision_takes_a_provisional_name_back() -> None:
    presence = household()
    presence.update(recognized(provisional=True))
    presence.update(recognized(sequence=2, match=GRACE_AT_THE_DOOR))
    assert presence.present == {"ada": False, "grace": True}

    presence.update(recognized("v2", provisional=True))
    presence.update(event(EventKind.UNKNOWN, "v2", 2, match=match(Outcome.UNKNOWN)))
    assert presence.present == {"ada": False, "grace": True}
    assert presence.last_name == "Grace Hopper"


def test_a_person_in_two_visits_stays_until_both_have_ended() -> None:
    presence = household()
    presence.update(recognized("v1"))
    presence.update(recognized("v2"))
    presence.update(event(EventKind.ENDED, "v1", 2, match=match()))
    assert presence.present["ada"]
    presence.update(event(EventKind.ENDED, "v2", 2, match=match()))
    assert not presence.present["ada"]


def test_a_visit_that_ends_with_only_a_provisional_name_still_names_the_last_person() -> None:
    presence = household()
    presence.update(recognized(provisional=True))
    presence.update(event(EventKind.ENDED, sequence=2, match=match()))
    assert presence.last_name == "Ada Lovelace"


def test_people_who_leave_the_gallery_are_forgotten() -> None:
    presence = household()
    presence.update(recognized())
    presence.people([("grace", "Admiral Hopper")])
    assert (presence.present, presence.last_name) == ({"grace": False}, None)

    presence.update(recognized("v2"))
    assert presence.present == {"grace": False}


def test_in_a_crowd_only_those_who_came_have_a_presence() -> None:
    presence = Presence()
    crowd = [(f"person-{number}", f"Person {number}") for number in range(HOUSEHOLD)] + [("ada", "Ada Lovelace")]
    presence.people(crowd)
    assert presence.present == {}

    presence.update(recognized())
    assert presence.present == {"ada": True}
    presence.update(event(EventKind.ENDED, sequence=2, match=match()))
    assert presence.present == {"ada": False}

    presence.people(crowd[1:])
    assert len(presence.present) == HOUSEHOLD
    presence.people([person for person in crowd if person[0] != "ada"] + [("grace", "Grace Hopper")])
    assert presence.present == {}


def test_age_is_only_known_within_one_boot() -> None:
    stamp = BootTime("a", 100.0)
    assert stamp.earlier(3).age_s(BootTime("a", 110.0)) == 13.0
    assert stamp.age_s(BootTime("b", 101.0)) is None


def test_names_that_would_break_a_topic_do_not() -> None:
    topics = Topics("home/whosthere", "front door")
    assert topics.person("a/b+#") == "home/whosthere/front_door/person/a_b__"
    assert topics.command("home/whosthere/front_door/command/pause") == "pause"
    assert topics.command(topics.command_result) is None
    assert topics.command("home/whosthere/front_door/visit") is None
