"""What rounds came to: contenders side by side, and a share of ordered latencies."""

from collections.abc import Mapping, Sequence
from statistics import median

from bench.table import table
from bench.wrk import Round


def compared(what: str, ours: str, rounds: Mapping[str, Sequence[Round]]) -> str:
    """A table of medians. what: is counted; ours: the contender beside which the others stand."""
    rates = {name: median(one.requests_s for one in found) for name, found in rounds.items()}
    return table(
        ("", f"{what}/s", "p50 ms", "p99 ms", "ours is", "rounds"),
        [
            (
                name,
                f"{rates[name]:,.0f}",
                f"{median(one.p50_ms for one in found):.2f}",
                f"{median(one.p99_ms for one in found):.2f}",
                "" if name == ours else f"{rates[ours] / rates[name]:.2f} ×",
                " ".join(f"{one.requests_s:,.0f}" for one in found),
            )
            for name, found in rounds.items()
        ],
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """share: 0.99 for p99. ordered: not empty."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
