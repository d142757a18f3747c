"""What plans pay, by a table of examples that people have worked out: worked_examples.yaml."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from app.core.conversions import Award, Given
from app.core.events import ClickTouch, CodeTouch, Event, Line, Payment
from app.core.plans import Plan, parse, parse_agreement
from app.core.qualification import Qualified
from app.core.world import PRECEDENCE, CodeFact, Dated, EnrollmentFact, PlanFact, World
from tests.core.made_worlds import HEARD, LONG_AGO, START, world_of
from tests.core.pure_road import PureRoad, owed
from tests.core.telling import ANA, BO, CY, FIRST, SECOND, click, lead, refund, sale

Example = dict[str, Any]
Part = int | str
Parts = dict[str, dict[str, list[Part]]]
"""By sale and rule, what each partner has, in the order of their credits; then the others."""
EXAMPLES: list[Example] = yaml.safe_load(
    (Path(__file__).parent / "worked_examples.yaml").read_text()
)
NAMES = {"ana": ANA, "bo": BO, "cy": CY}


def test_there_are_enough_of_them_and_each_claims_something_else() -> None:
    claims = {example["case"] for example in EXAMPLES}
    assert len(claims) == len(EXAMPLES) >= 60


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["case"]))
@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
def test_a_plan_pays_what_was_worked_out_by_hand(example: Example, *, backwards: bool) -> None:
    road = PureRoad(_world(example))
    events = _events(example)
    for n, event in enumerate(reversed(events) if backwards else events):
        road.receive(replace(event, received_at=HEARD + timedelta(days=1_500, seconds=n)))
    pays_as_written(example, road)
    assert road.balances == owed(road)


def pays_as_written(example: Example, road: PureRoad) -> None:
    """What was earned, what went back and why, by sale and rule."""
    paid: Parts = defaultdict(dict)
    back: Parts = defaultdict(dict)
    told: dict[str, set[str]] = {}
    for conversion in road.conversions.values():
        name = conversion.key.rsplit(":", 1)[1]
        told[name] = {reason.code for reason in conversion.reasons}
        sharers = [credit.partner_id for credit in conversion.credits]
        for award in sorted(conversion.awards, key=lambda one: _order(one, sharers)):
            paid[name].setdefault(award.rule_id, []).append(_part(award, award.amount))
            back[name].setdefault(award.rule_id, []).append(_part(award, award.reversed))
    assert _written(paid) == example["paid"]
    assert _written(back) == example.get("back", {})
    for name, code in example.get("tells", {}).items():
        assert code in told[name]


def _order(award: Award, sharers: list[UUID]) -> tuple[int, UUID]:
    position = sharers.index(award.partner_id) if award.partner_id in sharers else len(sharers)
    return position, award.partner_id


def _part(award: Award, amount: int) -> Part:
    """Of what is not the credited partner's cash, whose and what: `bo 200 eur`."""
    if not isinstance(award, Given) or not amount:
        return amount
    names = {partner: name for name, partner in NAMES.items()}
    return f"{names.get(award.partner_id, award.to)} {amount} {award.currency}"


def _world(example: Example) -> World:
    second = [_plan(example["second"], example["second"])] if "second" in example else []
    world = world_of(_plan(example, example), *second)
    program = world.programs[FIRST]
    later = tuple(
        PlanFact(UUID(int=0xF0 + n), n + 2, _instant(version["from"]), _plan(example, version))
        for n, version in enumerate(example.get("versions", []))
    )
    places = {
        (FIRST, NAMES[name]): _place(world.enrollments[FIRST, NAMES[name]], told)
        for name, told in example.get("partners", {}).items()
    }
    told = example.get("partners", {}).items()
    return replace(
        world,
        programs={**world.programs, FIRST: replace(program, plans=(*program.plans, *later))},
        **_codes(example),
        precedence=tuple(_order_of(example)),
        enrollments={**world.enrollments, **places},
        recruiters={
            (FIRST, NAMES[name]): NAMES[one["recruited_by"]]
            for name, one in told
            if "recruited_by" in one
        },
        companies={
            NAMES[name]: tuple(
                Dated(_instant(since), str(NAMES[company]) if company else "")
                for since, company in one["company"].items()
            )
            for name, one in told
            if "company" in one
        },
    )


def _order_of(example: Example) -> Iterator[Dated]:
    if "ahead" in example:
        programs = [str({"first": FIRST, "second": SECOND}[name]) for name in example["ahead"]]
        yield Dated(LONG_AGO, ",".join([*PRECEDENCE, *programs]))


def _codes(example: Example) -> dict[str, Any]:
    facts = [
        CodeFact(UUID(int=0xE0 + n), code, program, partner, (Dated(LONG_AGO, "active"),))
        for n, (code, whose) in enumerate(example.get("codes", {}).items())
        for partner, program in [_whose(whose)]
    ]
    names = {fact.code: (Dated(LONG_AGO, str(fact.id)),) for fact in facts}
    return {"codes": {fact.id: fact for fact in facts}, "code_names": names}


def _place(place: EnrollmentFact, told: Example) -> EnrollmentFact:
    own = tuple(
        PlanFact(
            id=UUID(int=place.partner_id.int << 16 | n),
            version=n + 1,
            effective_from=_instant(terms["from"]),
            plan=_own(terms),
            effective_until=_instant(terms["until"]) if "until" in terms else None,
        )
        for n, terms in enumerate(told.get("own", []))
    )
    joined = (Dated(_instant(told["joined"]), "active"),) if "joined" in told else place.states
    if "suspended" in told:
        joined += (Dated(_instant(told["suspended"]), "suspended"),)
    has = tuple(_qualified(fact) for fact in told.get("has", []))
    return replace(place, states=joined, qualified=has, agreements=own)


def _own(terms: Example) -> Plan:
    document = {name: terms[name] for name in terms if name not in {"from", "until"}}
    return parse_agreement({"combine": "first_match", **document})


def _qualified(fact: Example) -> Qualified:
    certified = fact.get("certified", False)
    return Qualified(
        since=_instant(fact["since"]),
        tier=fact.get("tier", ""),
        certified=bool(certified),
        certified_until=_instant(certified) if isinstance(certified, str) else None,
        agreement=fact.get("agreement", ""),
    )


def _plan(example: Example, version: Example) -> Plan:
    return parse(
        {
            "hold_days": 3_650,
            "attribution": {
                "model": "last_click",
                "window_days": 3_650,
                **example.get("attribution", {}),
            },
            "combine": version.get("combine", "first_match"),
            **{word: version[word] for word in ("gates", "binding") if word in version},
            "rules": version["rules"],
        }
    )


def _events(example: Example) -> list[Event]:
    at = START
    events: list[Event] = []
    for fact in example["told"]:
        at = _instant(fact["at"]) if "at" in fact else at + timedelta(hours=1)
        touches = tuple(_touches(fact, at))
        event = replace(_event(fact), occurred_at=at, country=fact.get("country", ""))
        events.append(replace(event, touches=touches))
    names = example.get("clicks", ["ana"])
    clicks = (click(-n - 30, *_whose(name)) for n, name in enumerate(names))
    events[0] = replace(events[0], touches=(*clicks, *events[0].touches))
    return events


def _touches(fact: Example, at: datetime) -> Iterator[ClickTouch | CodeTouch]:
    if "click" in fact:
        yield replace(click(0, *_whose(fact["click"])), at=at)
    if "code" in fact:
        yield CodeTouch(fact["code"], at)


def _whose(name: str) -> tuple[UUID, UUID]:
    """`bo`, or `bo of second`: a partner and its program."""
    partner, _, program = name.partition(" of ")
    return NAMES[partner], SECOND if program else FIRST


def _event(fact: Example) -> Event:
    if "lead" in fact:
        return lead(name=fact["lead"])
    currency = fact.get("currency", "eur")
    if "refund" in fact:
        refund_id = fact.get("id", "r1")
        return refund(fact["refund"], fact["amount"], refund_id=refund_id, currency=currency)
    event = sale(
        fact["sale"],
        fact["amount"],
        base=fact.get("base", fact["amount"]),
        currency=currency,
        subscription=fact.get("subscription", ""),
    )
    assert isinstance(event.body, Payment)
    lines = tuple(Line(*line) for line in fact.get("lines", []))
    complete = not fact.get("incomplete", False)
    assert not lines or not complete or sum(line.amount for line in lines) == event.body.base
    body = replace(
        event.body, lines=lines, lines_complete=complete, quantity=fact.get("quantity", 1)
    )
    return replace(event, body=body)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _written(sums: Parts) -> dict[str, dict[str, Part | list[Part]]]:
    """As the table writes it: what is nothing is left out, one part is a number."""
    rules = (
        (name, {rule: _number(parts) for rule, parts in by_rule.items() if any(parts)})
        for name, by_rule in sums.items()
    )
    return {name: by_rule for name, by_rule in rules if by_rule}


def _number(parts: list[Part]) -> Part | list[Part]:
    return parts[0] if len(parts) == 1 else parts
