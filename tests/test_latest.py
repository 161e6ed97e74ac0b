"""The slot between capture and inference."""

import threading

from edge.daemon.latest import Latest


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
