"""The fold by example: closing, binding, one payment under many names, joins, calendar months."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest

from app.core.conversions import Conversion
from app.core.plans import Plan
from app.core.world import PlanFact, World
from tests.core.made_worlds import PARTNERS, plan_with, world_of
from tests.core.pure_road import PureRoad, owed
from tests.core.telling import (
    ANA,
    BO,
    CY,
    FIRST,
    SECOND,
    click,
    day,
    lead,
    named,
    refund,
    refund_total,
    sale,
    tell,
    tie,
)

FIFTH = plan_with("fifth", hold_days=30)
NAMES = dict(zip(PARTNERS, ("ana", "bo", "cy"), strict=True))


def road_with(*plans: Plan) -> PureRoad:
    return PureRoad(world_of(*(plans or (FIFTH,))))


def conversion(road: PureRoad, invoice: str, kind: str = "invoice") -> Conversion:
    return {c.key: c for c in road.conversions.values()}[f"src::{kind}:{invoice}"]


def earners(road: PureRoad) -> dict[str, str]:
    """Who earns each sale: by its key's last part, or nobody."""
    return {
        c.key.rsplit(":", 1)[1]: NAMES[c.credits[0].partner_id] if c.credits else "nobody"
        for c in road.conversions.values()
    }


def left(road: PureRoad) -> dict[tuple[str, str], int]:
    return {
        (NAMES[a.partner_id], a.role): amount
        for a, amount in road.balances.items()
        if a.partner_id is not None
    }


def codes(one: Conversion) -> list[str]:
    return [reason.code for reason in one.reasons]


def test_a_touch_received_at_the_close_counts_and_a_moment_later_not() -> None:
    for late, earner in ((0, "bo"), (1, "ana")):
        road = road_with()
        tell(road, sale("1", 100_00, click(-2, ANA)), at=0)
        touch = replace(named(click(-1, BO)), received_at=day(30) + timedelta(microseconds=late))
        road.receive(touch)
        assert earners(road) == {"1": earner}


def test_what_closed_stays_and_refunds_alone_move_it() -> None:
    road = road_with()
    tell(road, sale("1", 100_00, click(-2, ANA)), at=0)
    road.mature(day(31))
    before = conversion(road, "1")
    late = (named(click(-1, BO)), lead(click(-9, CY), days=-3), sale("0", 9_00, days=-5))
    tell(road, *late, at=31)
    assert conversion(road, "1") == before
    tell(road, refund("1", 50_00, days=32), at=32)
    after = conversion(road, "1")
    assert (after.refunded, after.credits, after.base) == (50_00, before.credits, before.base)
    assert left(road)["ana", "payable"] == 10_00
    assert road.balances == owed(road)


def test_a_late_touch_binds_from_the_next_open_sale_on() -> None:
    road = road_with()
    tell(road, sale("1", 100_00), at=0)
    tell(road, named(click(-1, ANA)), at=31)
    assert earners(road) == {"1": "nobody"}
    assert "received_after_close" in codes(conversion(road, "1"))
    tell(road, sale("2", 50_00, days=32), sale("3", 50_00, days=33), at=33)
    assert earners(road) == {"1": "nobody", "2": "ana", "3": "ana"}
    assert conversion(road, "3").bound_at == day(32)


def test_a_late_binding_does_not_reach_a_sale_that_closed_with_nobody() -> None:
    road = road_with()
    tell(road, sale("1", 100_00), at=0)
    tell(road, sale("0", 10_00, click(-4, ANA), days=-3), at=31)
    assert earners(road) == {"0": "ana", "1": "nobody"}
    assert codes(conversion(road, "1")) == ["bound", "bound_after_close"]
    assert left(road) == {("ana", "pending"): 2_00}


def test_a_join_does_not_reach_a_sale_that_closed_with_nobody() -> None:
    road = road_with()
    tell(road, sale("1", 100_00, click(-1, ANA)), sale("2", 10_00, days=1, person="a:ben"), at=1)
    tell(road, named(people=("a:ann", "a:ben")), at=40)
    assert earners(road) == {"1": "ana", "2": "nobody"}
    tell(road, sale("3", 10_00, days=41, person="a:ben"), at=41)
    assert earners(road) == {"1": "ana", "2": "nobody", "3": "ana"}


def test_while_nobody_earns_each_program_closes_by_its_own_terms() -> None:
    road = road_with(plan_with("fifth", hold_days=5), FIFTH)
    tell(road, sale("1", 100_00), at=0)
    tell(road, named(click(-1, ANA, FIRST)), at=6)
    assert earners(road) == {"1": "nobody"}
    tell(road, named(click(-2, BO, SECOND)), at=7)
    assert earners(road) == {"1": "bo"}
    assert conversion(road, "1").program_id == SECOND


def test_a_condition_on_the_touch_holds_after_only_its_followers_closed() -> None:
    """Newer terms close sooner: the second sale is final while the first is still open."""
    slow, quick = plan_with("clicked", hold_days=90), plan_with("clicked", hold_days=5)
    road = PureRoad(_dated(slow, quick, since=10))
    tell(road, sale("1", 100_00, click(-1, ANA)), at=0)
    tell(road, sale("2", 100_00, days=11), at=11)
    tell(road, sale("3", 100_00, days=20), refund("1", 10_00, days=20), at=20)
    assert [len(c.awards) for c in road.conversions.values()] == [1, 1, 1]
    assert left(road) == {("ana", "pending"): 17_00 + 17_00 + 17_00 - 1_70}


def _dated(old: Plan, new: Plan, *, since: float) -> World:
    world = world_of(old)
    program = world.programs[FIRST]
    newer = PlanFact(UUID(int=0xDF), 2, day(since), new)
    return replace(world, programs={FIRST: replace(program, plans=(*program.plans, newer))})


def test_a_backlog_is_cut_where_its_own_news_closes_what_was_open() -> None:
    """A late sale binds the customer to a program by whose terms the open sale has closed."""
    plans = plan_with("fifth", hold_days=90), plan_with("fifth", hold_days=0)
    backlog = (
        sale("0", 10_00, click(-4, BO, SECOND), days=-3),
        lead(click(-9, CY, SECOND), days=-5),
    )
    earned = []
    for at_once in (True, False):
        road = road_with(*plans)
        tell(road, sale("1", 100_00, click(-1, ANA, FIRST)), at=0)
        news = [replace(e, received_at=day(10 + n)) for n, e in enumerate(backlog)]
        for batch in (news,) if at_once else ([event] for event in news):
            road.receive(*batch, now=day(20))
        earned.append(earners(road))
    assert earned == [{"lead": "cy", "0": "bo", "1": "bo"}] * 2


def test_the_country_is_the_last_one_known_by_the_sale() -> None:
    told = (
        replace(lead(days=-9), country="FR"),
        replace(lead(days=-1, name="demo"), country="DE"),
        replace(lead(days=1, name="later"), country="AT"),
        sale("1", 10_000, click(-10, ANA), currency="jpy"),
    )
    for order in permutations(told):
        road = road_with(plan_with("flat", hold_days=30))
        tell(road, *order, at=2)
        assert left(road) == {("ana", "pending"): 777}


def test_a_key_learned_later_supersedes_and_the_invoices_figures_win() -> None:
    messages = (
        sale("1", 100_00, click(-1, ANA), session=True),
        sale("1", 119_00, base=100_00),
        tie("session:1", "invoice:1"),
        refund("1", 59_50),
    )
    for order in permutations(messages):
        road = road_with()
        tell(road, *order, at=0)
        only = conversion(road, "1")
        assert len(road.conversions) == 1
        assert (only.gross, only.base, only.refunded) == (119_00, 100_00, 59_50)
        assert left(road) == {("ana", "pending"): 10_00}
        assert sorted(road.statuses.values()) == ["pending"]


def test_a_sale_that_turns_out_in_another_currency_is_owed_in_that_one() -> None:
    messages = (
        sale("1", 100_00, click(-1, ANA), session=True),
        tie("session:1", "invoice:1"),
        sale("1", 15_000, currency="jpy"),
    )
    for order in permutations(messages):
        road = road_with()
        tell(road, *order, at=0)
        assert {(a.currency, a.role): n for a, n in road.balances.items()} == {
            ("jpy", "expense"): -3_000,
            ("jpy", "pending"): 3_000,
        }


def test_two_that_closed_and_turn_out_to_be_one_both_stand_and_both_are_refunded() -> None:
    road = road_with()
    tell(road, sale("1", 100_00, click(-1, ANA), session=True), sale("1", 100_00), at=0)
    tell(road, tie("session:1", "invoice:1"), refund("1", 50_00), at=40)
    assert {c.refunded for c in road.conversions.values()} == {50_00}
    assert left(road) == {("ana", "pending"): 20_00}


def test_an_open_sale_that_turns_out_to_be_a_closed_one_is_dropped() -> None:
    road = road_with()
    tell(road, sale("1", 100_00, click(-1, ANA), session=True), at=0)
    tell(road, sale("1", 80_00, days=40), at=40)
    assert left(road) == {("ana", "pending"): 36_00}
    tell(road, tie("session:1", "invoice:1"), at=40.5)
    assert [c.key for c in road.conversions.values()] == ["src::session:1"]
    assert left(road) == {("ana", "pending"): 20_00}


def test_a_refund_waits_for_its_sale_and_a_tie_for_its_payment() -> None:
    road = road_with()
    tell(road, refund("1", 100_00), tie("invoice:1", "session:1"), at=0)
    assert len(road.parked) == 2
    tell(road, sale("1", 100_00, click(-1, ANA), session=True), at=1)
    assert not road.parked
    assert sorted(road.statuses.values()) == ["void"]
    assert road.balances == {}
    tell(road, refund("1", 100_00, fails=True, days=2), at=2)
    assert sorted(road.statuses.values()) == ["pending"]
    assert left(road) == {("ana", "pending"): 20_00}


def test_the_newest_total_wins_in_every_order() -> None:
    told = (refund_total("1", 30_00, days=1), refund_total("1", 45_00, days=2), refund("1", 30_00))
    for order in permutations(told):
        road = road_with()
        tell(road, sale("1", 100_00, click(-1, ANA)), *order, at=2)
        assert left(road) == {("ana", "pending"): 11_00}


@pytest.mark.parametrize(("currency", "gross", "owed_"), [("jpy", 333, 67), ("kwd", 12_345, 2_469)])
def test_a_third_refunded_is_rounded_once_on_the_sum(currency: str, gross: int, owed_: int) -> None:
    road = road_with()
    tell(road, sale("1", gross, click(-1, ANA), currency=currency), at=0)
    assert left(road) == {("ana", "pending"): owed_}
    third = gross // 3
    for n in range(3):
        tell(road, refund("1", third, refund_id=f"r{n}", currency=currency), at=1 + n)
    assert road.balances == {}


def test_a_renewal_is_a_later_sale_of_the_subscription_and_months_run_from_its_first() -> None:
    plan = plan_with("new", "base", hold_days=200)
    for order in permutations(range(4)):
        road = road_with(plan)
        told = [
            sale(str(n), 100_00, click(-1, ANA), days=days, subscription=subscription)
            for n, (days, subscription) in enumerate(
                (
                    (0, "s::subscription:1"),
                    (5, ""),
                    (31, "s::subscription:1"),
                    (91, "s::subscription:1"),
                )
            )
        ]
        tell(road, *(told[n] for n in order), at=95)
        by_name = {n: conversion(road, str(n)) for n in range(4)}
        assert [c.kind for c in by_name.values()] == ["sale", "sale", "renewal", "renewal"]
        assert [c.new for c in by_name.values()] == [True, False, False, False]
        amounts = [sum(a.amount for a in c.awards) for c in by_name.values()]
        # Three calendar months from January 10 end on April 10, the 90th day after.
        assert amounts == [30_00, 11_11, 11_11, 0]
        assert "months_over" in codes(by_name[3])


def test_the_earliest_lead_counts_after_a_join() -> None:
    told = (
        lead(click(-1, BO), days=2, person="a:ben"),
        lead(click(-3, ANA), days=0),
        named(people=("a:ann", "a:ben"), days=5),
        sale("1", 100_00, days=6),
    )
    for order in permutations(told):
        road = road_with(plan_with("lead", "fifth", hold_days=30))
        tell(road, *order, at=6)
        (only,) = [c for c in road.conversions.values() if c.kind == "lead"]
        assert (only.key, only.occurred_at) == ("src:lead:a:ann:lead", day(0))
        assert earners(road) == {"lead": "bo", "1": "bo"}
        assert left(road) == {("bo", "pending"): 2_00 + 20_00}
        # A lead is no purchase.
        assert conversion(road, "1").new
