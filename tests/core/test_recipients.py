"""Rules for others change nothing for the partner, and no part is above its percentage."""

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.conversions.canon import dumps
from app.conversions.world_canon import world_json
from app.conversions.world_canon import world_of as stored_world_of
from app.core.conversions import Award, Given
from app.core.drafts import History
from app.core.fold import fold
from app.core.money import share_bps
from app.core.plans import parse
from app.core.transfers import Standing
from app.core.units import FORMS, PIECES, read_unit, unit_of
from app.core.world import Dated, World
from tests.core.documents import plan_of
from tests.core.made_worlds import HEARD, world_of
from tests.core.pure_road import WORKSPACE
from tests.core.telling import ANA, BO, CY, FIRST, click, sale

BUYER: Final = UUID(int=0x77)
OWN: Final[list[dict[str, Any]]] = [
    {"id": "own", "pay": {"percent_bps": 1_733}},
    {"id": "plus", "adds": True, "pay": {"flat": {"amount": 7, "currency": "eur"}}},
]
_FLAT: Final[dict[str, Any]] = {"flat": {"amount": 999, "currency": "eur"}}
_USD: Final[dict[str, Any]] = {"flat": {"amount": 1, "currency": "usd"}}
others: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"pay": {"to": "recruiter", "percent_bps": 900}},
        {"pay": {"to": "recruiter", "level": 2, "of": "commission", "percent_bps": 700}},
        {"pay": {"to": "company", "as": "credit", **_FLAT}},
        {"pay": {"to": "customer", "as": "discount", **_USD}},
        {"pay": {"to": "customer", **_FLAT}, "adds": True},
        {"pay": {"to": "customer", "as": "gift", "item": "mug", "quantity": 3}, "adds": True},
        {"pay": {"to": "partner", "as": "feature", "item": "sso", "quantity": 1}, "adds": True},
        {"pay": {"to": "customer", "percent_bps": 100}, "when": "sale.amount / 0 > 1"},
    ]
)


def world(*rules: dict[str, Any], combine: str = "first_match", model: str = "linear") -> World:
    attribution = {"model": model, "window_days": 60}
    plan = parse(plan_of(*rules, combine=combine, attribution=attribution))
    return replace(
        world_of(plan),
        recruiters={(FIRST, ANA): BO, (FIRST, BO): CY},
        companies={},
    )


def awards(known: World, amount: int, partners: tuple[UUID, ...]) -> list[Award]:
    clicks = [click(-1 - n, partner) for n, partner in enumerate(partners)]
    events = (sale("A", amount, *clicks),)
    history = History(WORKSPACE, events, (), as_of=HEARD, now=HEARD, customer=BUYER)
    return [award for one in fold(history, known).conversions for award in one.awards]


def cash_of_partners(found: list[Award]) -> dict[tuple[UUID, str], int]:
    own = [award for award in found if not isinstance(award, Given)]
    return {(award.partner_id, award.rule_id): award.amount for award in own}


@given(
    st.lists(others, max_size=5),
    st.sampled_from(["first_match", "sum"]),
    st.integers(1, 10**7),
    st.sampled_from([(ANA,), (ANA, BO), (ANA, BO, CY)]),
    st.randoms(use_true_random=False),
)
def test_rules_for_others_change_no_cent_of_the_partners(
    more: list[dict[str, Any]], combine: str, amount: int, partners: tuple[UUID, ...], shuffled: Any
) -> None:
    alone = awards(world(*OWN, combine=combine), amount, partners)
    rules = [*OWN, *({**rule, "id": f"r{n}"} for n, rule in enumerate(more))]
    # The partner's own stay in their order; the others come anywhere between them.
    shuffled.shuffle(rules)
    rules.sort(key=lambda rule: rule["id"] == "plus")
    found = awards(world(*rules, combine=combine), amount, partners)
    assert cash_of_partners(found) == cash_of_partners(alone)


@given(st.integers(1, 10**7), st.integers(0, 10_000), st.sampled_from([(ANA,), (ANA, BO)]))
def test_a_recruiter_s_part_is_its_percentage_of_each_commission(
    amount: int, rate_bps: int, partners: tuple[UUID, ...]
) -> None:
    up = {"id": "up", "pay": {"to": "recruiter", "of": "commission", "percent_bps": rate_bps}}
    found = awards(world(*OWN, up), amount, partners)
    earned: dict[UUID, int] = {}
    for (partner, _), cents in cash_of_partners(found).items():
        earned[partner] = earned.get(partner, 0) + cents
    recruiters = {ANA: BO, BO: CY}
    due = {
        recruiters[partner]: share_bps(cents, rate_bps)
        for partner, cents in earned.items()
        if share_bps(cents, rate_bps)
    }
    assert {one.partner_id: one.amount for one in found if one.rule_id == "up"} == due


@given(st.lists(others, min_size=1, max_size=6), st.integers(1, 10**6))
def test_every_reward_has_a_unit_and_one_row(rules: list[dict[str, Any]], amount: int) -> None:
    numbered = [{**rule, "id": f"r{n}"} for n, rule in enumerate(rules)]
    found = awards(world(*numbered, combine="sum"), amount, (ANA, BO, CY))
    assert len({award.commission_id for award in found}) == len(found)
    for award in found:
        pay = next(rule["pay"] for rule in numbered if rule["id"] == award.rule_id)
        assert read_unit(award.currency).form == pay.get("as", "cash")
        assert award.amount > 0
        if pay.get("to") == "customer":
            assert award.partner_id == BUYER
        if "quantity" in pay and pay.get("to") == "customer":
            assert award.amount == pay["quantity"]


def test_a_unit_is_read_as_it_is_written() -> None:
    for form in FORMS:
        of = "mug" if form in PIECES - {"free_months"} else "" if form in PIECES else "eur"
        unit = read_unit(unit_of(form, of))
        assert (unit.form, unit.currency or unit.item or "") == (form, of)


def test_who_is_behind_is_stored_only_where_somebody_is() -> None:
    plain = world_of(parse(plan_of(*OWN)))
    assert {"recruiters", "companies"}.isdisjoint(world_json(plain))
    known = replace(world(*OWN), companies={ANA: (Dated(HEARD, str(CY)), Dated(HEARD, ""))})
    plans = {fact.id: fact for fact in known.programs[FIRST].plans}
    assert stored_world_of(orjson.loads(dumps(world_json(known))), plans) == known


def test_outcomes_without_rewards_look_as_they_did() -> None:
    """So that their digests stay, and the engine's number."""
    found = awards(world(*OWN), 10_000, (ANA,))
    assert {type(award) for award in found} == {Award}
    assert not hasattr(found[0], "to")
    assert not Standing(FIRST, FIRST, ANA, "eur", 1, 0, False, False, 0).of_customer
