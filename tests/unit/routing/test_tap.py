"""A watcher's bounded buffer: sampled by task, and honest about what it missed."""

from hourglass_executor.routing.tap import Missed, Tap


def tap(size: int = 3, rate: float = 1.0, avs: str = "") -> Tap[int]:
    return Tap(size=size, avs=avs, rate=rate, wake=lambda: None)


def taken(found: Tap[int]) -> list[int | Missed]:
    events: list[int | Missed] = []
    while (event := found.take()) is not None:
        events.append(event)
    return events


def test_a_slow_reader_is_told_how_much_it_missed_and_where() -> None:
    watched = tap(size=3)
    for number in range(8):
        watched.push("0x1", "0xa", number)
    assert watched.take() == 0
    watched.push("0x1", "0xa", 8)
    assert taken(watched) == [1, 2, Missed(5), 8]
    assert taken(watched) == []


def test_what_was_missed_is_told_though_nothing_follows() -> None:
    watched = tap(size=1)
    for number in range(3):
        watched.push("0x1", "0xa", number)
    assert taken(watched) == [0, Missed(2)]


def test_it_never_holds_more_than_its_size_and_a_marker() -> None:
    watched = tap(size=10)
    for number in range(10_000):
        watched.push("0x1", "0xa", number)
        if number % 7 == 0:
            watched.take()
    assert len(taken(watched)) <= 12


def test_of_a_task_all_events_are_sampled_or_none() -> None:
    watched = tap(size=10_000, rate=0.25)
    for number in range(2000):
        for _ in range(3):
            watched.push(f"0x{number:064X}", "0xa", number)
    seen = taken(watched)
    assert all(seen.count(number) == 3 for number in set(seen))
    assert 350 < len(set(seen)) < 650
    for number in range(1000, 1100):
        assert watched.samples(f"0x{number:064X}") == watched.samples(f"0x{number:064x}")


def test_a_rate_of_one_is_everything() -> None:
    watched = tap(size=5000)
    for number in range(2000):
        watched.push(f"0x{number:064x}", "0xa", number)
    assert len(taken(watched)) == 2000


def test_only_the_named_avs_is_watched() -> None:
    watched = tap(avs="0xa")
    watched.push("0x1", "0xb", 1)
    watched.push("0x1", "0xa", 2)
    assert taken(watched) == [2]
