"""What customers of one partner share, by a table that people have worked out."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.events import Event
from app.core.periods import PERIODS, period_of
from app.core.tallies import BASE, TallyKey, uses_of
from app.core.true_up import Period, terms_of, true_up
from tests.core.made_worlds import HEARD, START
from tests.core.pure_road import PureRoad, owed
from tests.core.telling import click
from tests.core.test_worked_examples import NAMES, _event, _instant, _world, pays_as_written

EXAMPLES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "shared_examples.yaml").read_text()
)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["case"]))
def test_customers_share_as_was_worked_out_by_hand(example: dict[str, Any]) -> None:
    road = PureRoad(_world(example))
    for n, event in enumerate(_events(example)):
        road.receive(replace(event, received_at=HEARD + timedelta(days=1_500, seconds=n)))
    pays_as_written(example, road)
    assert settled(road) == example.get("settled", {})
    assert road.balances == owed(road)
    assert road.totals == summed(road)


def settled(road: PureRoad) -> dict[str, dict[str, int]]:
    """By partner and period, what all bands of mode whole come to beyond what was paid."""
    names = {partner: name for name, partner in NAMES.items()}
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for key in sorted(key for key in road.totals if key.name.startswith(BASE) and key.currency):
        program, partner = key.program_id, key.partner_id
        rule = key.name.removeprefix(BASE)
        period = Period(program, partner, rule, key.period, key.currency)
        place = road.world.enrollments[program, partner]
        terms = terms_of(road.world.programs[program], place, period)
        assert terms is not None
        if amount := true_up(terms[1], period, road.totals).amount:
            found[names[partner]][key.period] = amount
    return found


def summed(road: PureRoad) -> dict[TallyKey, int]:
    """What the totals should be by the conversions alone; those that are 0 as they are."""
    names = {(key.name, key.period) for key in road.totals}
    sums = dict.fromkeys(road.totals, 0)
    for conversion in road.conversions.values():
        within = {period_of(conversion.occurred_at, kind) for kind in PERIODS}
        for key, used in uses_of(conversion, [n for n in names if n[1] in within]).items():
            sums[key] += used
    return sums


def _events(example: dict[str, Any]) -> list[Event]:
    at = START
    events: list[Event] = []
    seen: set[str] = set()
    who = "a"
    for fact in example["told"]:
        at = _instant(fact["at"]) if "at" in fact else at + timedelta(hours=1)
        who = fact.get("who", who)
        event = replace(_event(fact), occurred_at=at)
        if "refund" not in fact:
            by = [fact["by"]] if "by" in fact else example.get("clicks", ["ana"])
            begins = -1 if who in seen else -30
            clicks = [click(begins - m, NAMES[name]) for m, name in enumerate(by)]
            touches = tuple(clicks) if who not in seen or "by" in fact else ()
            name = event.external_id.replace("a:ann", f"a:{who}")
            event = replace(event, external_id=name, people=(f"a:{who}",), touches=touches)
            seen.add(who)
        if fact.get("fails"):
            event = replace(event, body=replace(event.body, counts=False))  # type: ignore[arg-type]
        events.append(event)
    return events
