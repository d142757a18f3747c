"""Every touch that a decision considered, with its class and age, and why it counted or not.

The verdicts are the stored reasons of the decision; here each finds its touch again.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.conversions import surroundings
from app.conversions.touching import touch_of
from app.conversions.verdicts_of_touches import ABOUT_WHOLE, FOLLOWED, Told, matched
from app.core.attribution_terms import TouchKind
from app.core.events import (
    ClickTouch,
    CodeTouch,
    DealTouch,
    InvalidToken,
    ReferrerTouch,
    SelfReportedTouch,
    Touch,
)
from app.core.touch_order import in_order
from app.core.world import World
from app.sentences import ReasonOut
from app.wire import ClickId, ConversionId, DealId, Instant, LinkId, Out, PartnerId, ProgramId

_NEWEST: Final = 20

_TOUCHES: Final = """
SELECT touch FROM events e CROSS JOIN LATERAL jsonb_array_elements(e.mapped->'touches') AS touch
WHERE e.workspace_id = $1 AND e.customer_id = $2
"""
_WITHOUT: Final = """
SELECT id, occurred_at, recorded_at, reasons FROM conversions
WHERE workspace_id = $1 AND customer_id = $2 AND superseded_by IS NULL
  AND NOT EXISTS (SELECT FROM jsonb_array_elements(credits) c WHERE c->>0 = $3)
ORDER BY occurred_at DESC, id DESC LIMIT $4
"""


class ConsideredOut(Out):
    """A touch, as the decision saw it. age_s: how long before the conversion, in seconds; negative
    after it. partner_id, program_id: whom it points to; null if to nobody, or to several programs.

    at, age_s: null for what is no click id of ours. traffic_class: of a click. counted: whether it
    is credited, or stands behind what is. reason: why, or why not; null if the decision did not
    come to look at it, since a binding went before.
    """

    kind: TouchKind
    at: Instant | None
    age_s: int | None
    traffic_class: str | None
    click_id: ClickId | None
    link_id: LinkId | None
    code: str | None
    deal_id: DealId | None
    partner_id: PartnerId | None
    program_id: ProgramId | None
    counted: bool
    reason: ReasonOut | None


class WhyNotOut(Out):
    """A conversion that a partner has no part in. touches: the partner's own, with what became of
    them; empty if none of the customer's touches points to it. reasons: who it went to instead.
    """

    conversion_id: ConversionId
    occurred_at: Instant
    touches: list[ConsideredOut]
    reasons: list[ReasonOut]


async def considered(
    driver: "asyncpg.Connection[Any]", workspace: UUID, customer: UUID, row: Mapping[str, Any]
) -> list[ConsideredOut]:
    """Of one conversion. row: of `conversions`."""
    touches, world = await _known(driver, workspace, customer)
    return [one for one in _shown(touches, world, row) if one.reason is not None]


async def why_not(
    driver: "asyncpg.Connection[Any]", workspace: UUID, customer: UUID, partner: UUID
) -> list[WhyNotOut]:
    """The newest 20 conversions of the customer that the partner has no part in."""
    rows = await driver.fetch(_WITHOUT, workspace, customer, str(partner), _NEWEST)
    if not rows:
        return []
    touches, world = await _known(driver, workspace, customer)
    return [
        WhyNotOut(
            conversion_id=row["id"],
            occurred_at=row["occurred_at"],
            touches=[one for one in _shown(touches, world, row) if one.partner_id == partner],
            reasons=ReasonOut.all_of([r for r in row["reasons"] if r["code"] in ABOUT_WHOLE]),
        )
        for row in rows
    ]


async def _known(
    driver: "asyncpg.Connection[Any]", workspace: UUID, customer: UUID
) -> tuple[list[Touch], World]:
    rows = await driver.fetch(_TOUCHES, workspace, customer)
    touches = [touch_of(row["touch"]) for row in rows]
    wanted = surroundings.Wanted()
    for touch in touches:
        wanted.add_touch(touch)
    return touches, (await surroundings.gather(driver, workspace, wanted)).world


def _shown(
    touches: Sequence[Touch], world: World, row: Mapping[str, Any]
) -> Iterator[ConsideredOut]:
    """All touches of the customer in the order of the decision, each with its verdict."""
    sold_at = row["occurred_at"]
    read_at = min(sold_at, row["recorded_at"])
    told = [_told(touch, world, read_at) for touch in in_order(touches, sold_at)]
    verdicts = list(takewhile(lambda reason: reason["code"] not in FOLLOWED, row["reasons"]))
    for one, reason in zip(told, matched(told, verdicts, sold_at, read_at), strict=True):
        (program,) = one.programs if len(one.programs) == 1 else (None,)
        yield ConsideredOut(
            kind=one.kind,
            at=one.at,
            age_s=int((sold_at - one.at).total_seconds()) if one.at else None,
            traffic_class=one.traffic_class,
            click_id=one.click_id,
            link_id=one.link_id,
            code=one.code,
            deal_id=one.deal_id,
            partner_id=one.partner_id,
            program_id=program,
            counted=reason is not None and reason["code"] == "touch_counted",
            reason=ReasonOut.of(reason) if reason else None,
        )


def _told(touch: Touch, world: World, read_at: Any) -> Told:
    match touch:
        case InvalidToken(position):
            return Told("click", position=position)
        case ClickTouch():
            link = world.links.get(touch.link_id)
            return Told(
                "click",
                touch.at,
                click_id=touch.click_id,
                link_id=touch.link_id,
                traffic_class=touch.traffic_class,
                partner_id=link.partner_id if link else None,
                programs=frozenset([link.program_id] if link else []),
            )
        case CodeTouch(code, at):
            return _by_code("code", code, at, world, read_at)
        case ReferrerTouch(partner_id, person, at):
            return _by_partner("referrer", partner_id or world.referrers.get(person), at, world)
        case DealTouch():
            return Told(
                "deal",
                touch.at,
                deal_id=touch.deal_id,
                partner_id=touch.partner_id,
                programs=frozenset([touch.program_id]),
            )
        case SelfReportedTouch(partner_id, code, at):
            if partner_id is None:
                return _by_code("self_reported", code, at, world, read_at)
            return _by_partner("self_reported", partner_id, at, world)


def _by_code(kind: TouchKind, code: str, at: Any, world: World, read_at: Any) -> Told:
    fact = world.code_at(code, min(at, read_at))
    return Told(
        kind,
        at,
        code=code,
        code_is=fact.code if fact else code,
        partner_id=fact.partner_id if fact else None,
        programs=frozenset([fact.program_id] if fact else []),
    )


def _by_partner(kind: TouchKind, partner: UUID | None, at: Any, world: World) -> Told:
    programs = frozenset(program for program, one in world.enrollments if one == partner)
    return Told(kind, at, partner_id=partner, programs=programs)
