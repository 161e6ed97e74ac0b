"""The slot between capture and inference."""

import threading
from collections.abc import Callable

from edge.daemon.latest import Latest
from support.publishing import until

LONG_S = 600.0


def test_the_newest_wins_and_drops_are_counted() -> None:
    slot: Latest[int] = Latest()
    for item in (1, 2, 3):
        slot.put(item)
    assert (slot.take(0), slot.take(0), slot.dropped) == (3, None, 2)


def test_nothing_is_dropped_when_the_giver_waits() -> None:
    slot: Latest[int] = Latest()
    taken: list[int] = []

    def take_all() -> None:
        while not slot.finished:
            item = slot.take(5)
            if item is not None:
                taken.append(item)

    taker = threading.Thread(target=take_all)
    taker.start()
    for item in range(500):
        assert slot.put_when_free(item, 10)
    slot.close()
    taker.join(10)
    assert taken == list(range(500))
    assert slot.dropped == 0


def test_a_giver_does_not_wait_for_ever() -> None:
    slot: Latest[int] = Latest()
    slot.put(1)
    assert not slot.put_when_free(2, 0.01)
    assert slot.take(0) == 1


def test_the_last_item_can_be_taken_after_closing() -> None:
    slot: Latest[int] = Latest()
    slot.put(1)
    slot.close()
    assert not slot.finished
    assert slot.take(5) == 1
    assert slot.finished
    assert slot.take(5) is None


def test_a_taker_that_rests_is_woken_only_for_what_is_worth_it() -> None:
    slot: Latest[int] = Latest()
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(slot.take(LONG_S, resting=True)))
    taker.start()
    judged = list[int]()

    def worth(item: int) -> bool:
        judged.append(item)
        return item >= 3

    until(lambda: _offered(slot, 1, worth, judged))
    slot.put(2, worth)
    assert taken == []
    slot.put(3, worth)
    taker.join(LONG_S)
    assert taken == [3]
    slot.put(0, worth)
    assert slot.take(0) == 0, "it does not rest, so that everything is its business"
    assert judged == [1, 2, 3]


def _offered(slot: Latest[int], item: int, worth: Callable[[int], bool], judged: list[int]) -> bool:
    """Whether the taker rested when it was offered; before, it is taken back."""
    slot.put(item, worth)
    if not judged:
        slot.take(0)
    return bool(judged)


def test_what_waits_is_never_left_out() -> None:
    slot: Latest[int] = Latest()
    slot.put(1)
    assert slot.take(0, resting=True) == 1


def test_a_nudge_ends_a_wait_even_before_it_begins() -> None:
    slot: Latest[int] = Latest()
    slot.nudge()
    assert slot.take(LONG_S, resting=True) is None
    threading.Timer(0.05, slot.nudge).start()
    assert slot.take(LONG_S) is None
    slot.put(1)
    assert slot.take(0) == 1
