"""The plan of ten rules that the benchmarks decide by: four conditions that look back, four new
markets, one for large sales, and one for all others.
"""

from typing import Any, Final

MARKETS: Final = ("FR", "IT", "ES", "GB")


def ten_rules(base_bps: int = 2_000) -> dict[str, Any]:
    """base_bps: what the last rule pays, which most sales come to."""
    loyal = [
        {
            "id": f"loyal-{number}",
            "when": f"customer.value > {number}00000 && sale.payment > {number}",
            "pay": {"percent_bps": 2_600 - 10 * number},
        }
        for number in range(4, 0, -1)
    ]
    markets = [
        {
            "id": f"new-{country.lower()}",
            "match": {"countries": [country], "new": True},
            "pay": {"percent_bps": 2_300},
        }
        for country in MARKETS
    ]
    large = {
        "id": "large",
        "when": "sale.amount >= 20000 && customer.country == 'DE'",
        "pay": {"percent_bps": 2_200},
    }
    return {
        "hold_days": 14,
        "late_days": 1,
        "attribution": {"model": "last_click", "window_days": 60},
        "combine": "first_match",
        "rules": [*loyal, *markets, large, {"id": "base", "pay": {"percent_bps": base_bps}}],
    }
