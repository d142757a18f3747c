"""Which totals of their partners a plan's rules look at."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from app.core.bands import Bands
from app.core.pays import PartnerCap
from app.core.periods import Period
from app.core.rules import Rule
from app.core.tallies import LEADS, SALES, Ask, base_of, of_rule

TOTALS: Final[Mapping[str, Period]] = MappingProxyType(
    {
        "partner.month_sales": "month",
        "partner.month_revenue": "month",
        "partner.quarter_sales": "quarter",
        "partner.quarter_revenue": "quarter",
        "partner.year_sales": "year",
        "partner.year_revenue": "year",
        "partner.life_sales": "life",
        "partner.life_revenue": "life",
    }
)
"""Facts of conditions that are totals, and of which calendar period."""


def asked(rules: Iterable[Rule], facts: Collection[str]) -> frozenset[Ask]:
    """facts: those that the rules' conditions name."""
    asks = {Ask(SALES, period) for name, period in TOTALS.items() if name in facts}
    for rule in rules:
        if isinstance(rule.cap, PartnerCap):
            asks.add(Ask(of_rule(rule.id), rule.cap.period))
        if isinstance(rule.pay.how, Bands):
            bands = rule.pay.how
            asks.add(Ask(SALES, bands.period))
            if bands.mode == "whole":
                names = of_rule(rule.id), base_of(rule.id)
                asks |= {Ask(name, bands.period) for name in names}
        if rule.match.reaches is not None:
            period = rule.match.reaches.period
            counted = SALES if rule.match.reaches.leads is None else LEADS
            asks |= {Ask(counted, period), Ask(of_rule(rule.id), period)}
    return frozenset(asks)
