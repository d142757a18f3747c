"""What can't be worked out for its currency pays nobody, and waits for news until it closes."""

from typing import Any

import pytest

from app.core.conversions import Conversion
from app.core.plans import parse
from tests.core.documents import plan_of
from tests.core.made_worlds import world_of
from tests.core.pure_road import PureRoad, owed
from tests.core.telling import click, lead, sale, tell, tie

HOLD_DAYS = 30
EURO = {"amount": 2_500, "currency": "eur"}
IN_EURO: dict[str, dict[str, Any]] = {
    "flat": {"pay": {"flat": EURO}},
    "cap": {"pay": {"percent_bps": 5_000}, "cap": {"per": "sale", "amount": EURO}},
    "cap per customer": {"pay": {"percent_bps": 5_000}, "cap": {"per": "customer", "amount": EURO}},
    "cap per partner": {"pay": {"percent_bps": 5_000}, "cap": {"per": "partner", "amount": EURO}},
}
"""Rules that are worth 25.00 EUR on a sale of 100.00 EUR, and unknown in dollars."""


def sold_in_dollars(rule: dict[str, Any]) -> PureRoad:
    """Told by the checkout; its invoice is yet to come."""
    plan = plan_of({"id": "base", **rule}, {"id": "rest", "pay": {"percent_bps": 1}})
    road = PureRoad(world_of(parse(plan)))
    tell(road, sale("1", 100_00, click(-1), session=True, currency="usd"), at=0)
    return road


def only(road: PureRoad) -> Conversion:
    (conversion,) = (c for c in road.conversions.values() if c.kind != "lead")
    return conversion


def codes(conversion: Conversion) -> list[str]:
    return [reason.code for reason in conversion.reasons]


@pytest.mark.parametrize("name", IN_EURO)
def test_it_waits_and_is_paid_once_the_currency_is_known(name: str) -> None:
    road = sold_in_dollars(IN_EURO[name])
    assert only(road).awards == ()
    assert codes(only(road))[-1] == "no_rate"
    # News of something else finds it waiting still.
    tell(road, lead(days=1), at=1)
    assert only(road).awards == ()
    assert codes(only(road))[-1] == "no_rate"
    tell(road, sale("1", 100_00, currency="eur"), tie("session:1", "invoice:1"), at=2)
    (award,) = only(road).awards
    assert (award.rule_id, award.amount, award.currency) == ("base", 2_500, "eur")
    assert road.balances == owed(road) != {}


@pytest.mark.parametrize("name", IN_EURO)
def test_it_waits_no_longer_than_the_sale_is_open(name: str) -> None:
    road = sold_in_dollars(IN_EURO[name])
    late = HOLD_DAYS + 2
    tell(road, sale("1", 100_00, currency="eur"), tie("session:1", "invoice:1"), at=late)
    assert only(road).awards == ()
    assert road.balances == {}
