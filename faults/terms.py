"""Terms under which no sale stands alone: what all customers of a partner have in common."""

from typing import Any, Final

CAP: Final = 300_00
"""The most that the rule `base` pays a partner in a month."""
_USD: Final = "usd"


def _steps(*steps: tuple[int, int]) -> list[dict[str, Any]]:
    """Where each begins, in cents, and its rate."""
    return [
        {"from": {"amount": start, "currency": _USD}, "percent_bps": rate} for start, rate in steps
    ]


SHARED: Final[dict[str, Any]] = {
    "hold_days": 14,
    "late_days": 1,
    "attribution": {"model": "last_click", "window_days": 30},
    "combine": "first_match",
    "rules": [
        {
            "id": "base",
            "pay": {"percent_bps": 2_000},
            "cap": {
                "per": "partner",
                "amount": {"amount": CAP, "currency": _USD},
                "period": "month",
            },
        },
        {
            "id": "volume",
            "adds": True,
            "pay": {
                "bands": {
                    "by": "revenue",
                    "period": "month",
                    "mode": "graduated",
                    "steps": _steps((0, 333), (500_00, 555), (2_000_00, 777)),
                }
            },
        },
        {
            "id": "fifth",
            "adds": True,
            "match": {"reaches": {"sales": 5, "period": "month"}},
            "pay": {"flat": {"amount": 25_00, "currency": _USD}},
        },
        {
            "id": "rest",
            "adds": True,
            "pay": {
                "bands": {
                    "by": "revenue",
                    "period": "month",
                    "mode": "whole",
                    "steps": _steps((0, 111), (300_00, 222), (1_500_00, 444)),
                }
            },
        },
    ],
}
