"""What the ledger should hold: the payloads folded in memory, decision by decision.

Partners' totals are used up in the order of decisions, so that order is taken as it is stored:
which events each decision was the first to see, when, and which period it settled. Everything else
is reckoned anew from what was sent.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from app.conversions import surroundings
from app.conversions.canon import received_event
from app.conversions.intake.understood import mapped_json
from app.conversions.providers import stripe
from app.conversions.providers.mapping import Mapped
from app.conversions.true_up_canon import digest, period_of_facts
from app.core.events import Event, Refund
from app.core.periods import kind_of, period_of
from app.core.tallies import TallyKey, of_rule, uses_of
from app.core.true_up import Period
from app.core.world import World
from app.db.engine import Database
from faults.stage import KEYS, Stage, promise, run
from faults.terms import CAP
from tests.contract.stripe_objects import Json, encoded
from tests.core.pure_road import PureRoad

Totals = dict[TallyKey, int]
_CAPPED: Final = of_rule("base")
_EVENTS: Final = """
    SELECT id, source, external_id, received_at, decision_no FROM events
    WHERE workspace_id = $1 AND decision_no IS NOT NULL
"""
_DECISIONS: Final = """
    SELECT decision_no, decided_at, outcome, facts -> 'true_up' AS true_up FROM decisions
    WHERE workspace_id = $1 ORDER BY decision_no
"""


def followed(here: Stage, workspace: UUID, payloads: Mapping[str, Json]) -> PureRoad:
    """Every stored decision made again; ends the run at the first that comes out otherwise."""
    seen: dict[int, list[Event]] = defaultdict(list)
    for row in here.rows(_EVENTS, workspace):
        meant = _read(payloads[row["external_id"]], row)
        if meant is None:
            raise SystemExit(f"BROKEN: {row['external_id']} was decided, and means nothing")
        seen[row["decision_no"]].append(meant)
    events = [event for news in seen.values() for event in news]
    pure = PureRoad(world=run(_world(here, workspace, events)), workspace=workspace)
    for row in here.rows(_DECISIONS, workspace):
        number, before = row["decision_no"], _capped(pure)
        if row["true_up"] is not None:
            _settle(pure, row)
            continue
        news = seen[number]
        pure.follow(*news, now=row["decided_at"])
        same = pure.decisions == number and pure.rows[-1].outcome == row["outcome"]
        promise(same, f"decision {number} is none that the pure fold makes")
        _within_cap(pure, before, news, number)
    _places_within_cap(pure)
    return pure


def totals_of(pure: PureRoad) -> Totals:
    """Partners' totals as the sums of what stands, those that the fold kept, without what is 0."""
    named = {(key.name, key.period) for key in pure.totals}
    sums: Totals = defaultdict(int)
    for conversion in pure.conversions.values():
        for key, used in uses_of(conversion, named).items():
            if key.period == period_of(conversion.occurred_at, kind_of(key.period)):
                sums[key] += used
    return {key: total for key, total in sums.items() if total}


def waiting_for_disputes(pure: PureRoad) -> set[Period]:
    """Periods with a sale of the rule that settles them under an open dispute."""
    return {
        Period(
            program_id=award.program_id,
            partner_id=award.partner_id,
            rule_id=award.rule_id,
            within=period_of(conversion.occurred_at, "month"),
            currency=award.currency,
        )
        for conversion in pure.conversions.values()
        for award in conversion.awards
        if pure.standings[award.commission_id].held
    }


def _settle(pure: PureRoad, row: asyncpg.Record) -> None:
    period = period_of_facts(orjson.loads(row["true_up"]))
    promise(period not in pure.true_ups, f"{period} is settled twice")
    same = digest(period, pure.settle(period)) == row["outcome"]
    promise(same and pure.decisions == row["decision_no"], f"{period} comes to something else")


def _capped(pure: PureRoad) -> Totals:
    return {key: n for key, n in pure.totals.items() if key.name == _CAPPED and key.currency}


def _within_cap(pure: PureRoad, before: Totals, news: Iterable[Event], number: int) -> None:
    """Nothing is granted beyond the cap; only a refund that fails may bring back more."""
    if any(isinstance(event.body, Refund) and not event.body.counts for event in news):
        return
    for key, after in _capped(pure).items():
        most = max(CAP, before.get(key, 0))
        promise(after <= most, f"decision {number} leaves {after} under a cap of {CAP}")


def _places_within_cap(pure: PureRoad) -> None:
    """Each award fits into what was left where its sale was decided."""
    places = {i: p for known in pure.customers.values() for i, p in known.positions.items()}
    for conversion in pure.conversions.values():
        within = period_of(conversion.occurred_at, "month")
        for award in conversion.awards:
            if of_rule(award.rule_id) == _CAPPED:
                whose = (award.program_id, award.partner_id)
                key = TallyKey(*whose, _CAPPED, within, award.currency)
                granted = places[conversion.id][key] + award.amount
                promise(granted <= CAP, f"{conversion.key} was granted beyond the cap")


def _read(payload: Json, row: asyncpg.Record) -> Event | None:
    """What a payload means. row: of the inbox, for its id and receipt."""
    meaning = stripe.read(encoded(payload), live=False, received_at=row["received_at"])
    if not isinstance(meaning, Mapped):
        return None
    return received_event(
        mapped_json(meaning, KEYS),
        event_id=row["id"],
        source=row["source"],
        external_id=meaning.external_id,
        received_at=row["received_at"],
    )


async def _world(here: Stage, workspace: UUID, events: Sequence[Event]) -> World:
    database = Database(here.url)
    try:
        async with database.read() as read:
            wanted = surroundings.Wanted().add(events, ())
            return (await surroundings.gather(await read.driver(), workspace, wanted)).world
    finally:
        await database.close()
