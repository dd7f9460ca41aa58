import pytest
from hourglass_executor.routing.balance import Latency, fastest


@pytest.mark.parametrize(
    ("latencies", "u", "index"),
    [
        ([5.0], 0.9, 0),
        ([0.2, 0.1], 0.0, 1),
        ([0.1, 0.1, 0.2], 0.0, 0),
        ([0.1, 0.1, 0.2], 0.999, 1),
    ],
)
def test_the_lowest_latency_is_chosen_and_chance_decides_between_equals(
    latencies: list[float], u: float, index: int
) -> None:
    assert fastest(latencies, u) == index


def test_latency_is_an_average_in_which_the_newest_measurement_weighs_three_tenths() -> None:
    latency = Latency().measured(1.0, now=0).measured(2.0, now=1)
    assert latency.seconds == pytest.approx(1.3)


def test_latency_fades_by_half_each_half_life() -> None:
    latency = Latency().measured(1.0, now=0)
    assert latency.at(0, half_life=10) == pytest.approx(1.0)
    assert latency.at(10, half_life=10) == pytest.approx(0.5)
    assert latency.at(20, half_life=10) == pytest.approx(0.25)
