"""Token buckets with a clock of the test's own."""

from app.rates import Buckets


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_then_the_rate() -> None:
    clock = Clock()
    buckets = Buckets(rate_per_s=2, burst=3, clock=clock)
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    clock.now = 0.25
    assert buckets.take("a") == 0.25
    clock.now = 0.5
    assert [buckets.take("a") for _ in range(2)] == [0, 0.5]
    clock.now = 3_600
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_keys_do_not_share() -> None:
    buckets = Buckets(rate_per_s=1, burst=1, clock=Clock())
    assert [buckets.take(key) for key in "aabb"] == [0, 1, 0, 1]


def test_only_so_many_are_remembered_the_latest() -> None:
    buckets = Buckets(rate_per_s=1, burst=1, most=2, clock=Clock())
    assert [buckets.take(key) for key in "abbc"] == [0, 0, 1, 0]
    assert len(buckets._left) == 2
    assert buckets.take("b") == 1
    assert buckets.take("a") == 0
