"""Canonical JSON of events, worlds and decisions: what is stored, hashed and verified."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from app.conversions.tally_canon import positions_json, tallies_json
from app.conversions.touching import touch_json, touch_of
from app.core.conversions import Credit
from app.core.events import (
    Body,
    Churn,
    Dispute,
    Event,
    Kind,
    Lead,
    Line,
    Named,
    Payment,
    Reassigned,
    Refund,
    RefundTotal,
    Subscribed,
    Tie,
)
from app.core.fold import Folded
from app.core.reasons import Reason

Json = dict[str, Any]

BODIES: Final[Mapping[Kind, type[Body]]] = {
    "lead": Lead,
    "payment": Payment,
    "tie": Tie,
    "subscribed": Subscribed,
    "refund": Refund,
    "refund_total": RefundTotal,
    "dispute": Dispute,
    "named": Named,
    "churn": Churn,
    "reassigned": Reassigned,
}


_FIELDS: Final[Mapping[type, tuple[str, ...]]] = {
    body: tuple(f.name for f in fields(body)) for body in BODIES.values()
}


def dumps(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no white space."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(value: Any) -> bytes:
    return hashlib.sha256(dumps(value)).digest()


def event_json(event: Event) -> Json:
    """Everything of an event that decides; no personal data is in it."""
    return {
        "id": str(event.id),
        "source": event.source,
        "external_id": event.external_id,
        "kind": event.kind,
        "occurred_at": instant(event.occurred_at),
        "received_at": instant(event.received_at),
        "body": body_json(event.body),
        "people": list(event.people),
        "payments": list(event.payments),
        "touches": [touch_json(touch) for touch in event.touches],
        "country": event.country,
        "program_ids": [str(program) for program in event.program_ids],
    }


def event_of(stored: Mapping[str, Any]) -> Event:
    """The event that `event_json` wrote; KeyError, ValueError or TypeError if it is not one."""
    return received_event(
        stored,
        event_id=UUID(stored["id"]),
        source=stored["source"],
        external_id=stored["external_id"],
        received_at=datetime.fromisoformat(stored["received_at"]),
    )


def received_event(
    mapped: Mapping[str, Any],
    *,
    event_id: UUID,
    source: str,
    external_id: str,
    received_at: datetime,
) -> Event:
    """The event of an inbox row: what it means, and what the row says of its receipt."""
    kind = mapped["kind"]
    return Event(
        id=event_id,
        source=source,
        external_id=external_id,
        kind=kind,
        occurred_at=datetime.fromisoformat(mapped["occurred_at"]),
        received_at=received_at,
        body=_body_of(kind, mapped["body"]),
        people=tuple(mapped["people"]),
        payments=tuple(mapped["payments"]),
        touches=tuple([touch_of(touch) for touch in mapped["touches"]]),
        country=mapped["country"],
        program_ids=tuple([UUID(program) for program in mapped["program_ids"]]),
    )


def reasons_json(reasons: tuple[Reason, ...]) -> list[Json]:
    return [{"code": reason.code, "params": reason.params} for reason in reasons]


def json_text(reasons: tuple[Reason, ...]) -> str:
    """Reasons as a jsonb parameter takes them."""
    return orjson.dumps(reasons_json(reasons)).decode()


def reasons_of(stored: list[Json]) -> tuple[Reason, ...]:
    return tuple(
        Reason(
            reason["code"],
            {k: tuple(v) if isinstance(v, list) else v for k, v in reason["params"].items()},
        )
        for reason in stored
    )


def credits_of(stored: list[list[Any]]) -> tuple[Credit, ...]:
    return tuple(Credit(UUID(partner), bps) for partner, bps in stored)


def outcome_digest(folded: Folded) -> bytes:
    """SHA-256 over what a decision says should stand, field by field."""
    superseded = {str(old): str(new) for old, new in folded.superseded.items()}
    told: list[object] = [folded.conversions, superseded]
    if folded.disputed:
        # Only where there is a dispute, so that older decisions keep their digests.
        told.append({str(conversion): gross for conversion, gross in folded.disputed.items()})
    if folded.tallies or folded.positions:
        places = {str(i): positions_json(found) for i, found in folded.positions.items()}
        told.append({"tallies": tallies_json(folded.tallies), "positions": places})
    # str: asyncpg's own UUID is the only thing that orjson doesn't take by itself.
    outcome = orjson.dumps(told, default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(outcome).digest()


def decision_hash(
    previous: bytes,
    *,
    workspace: UUID,
    number: int,
    customer: UUID | None,
    facts: bytes,
    outcome: bytes,
) -> bytes:
    """SHA-256 over the previous decision's hash and this one's row. facts: canonical JSON.

    customer: None where a partner's period is settled.
    """
    row = b"%b%d%b" % (workspace.bytes, number, customer.bytes if customer else b"")
    return hashlib.sha256(previous + row + outcome + facts).digest()


def instant(at: datetime) -> datetime:
    """As JSON has it: orjson spells UTC as `isoformat` does, five times as fast."""
    return at.astimezone(UTC)


def body_json(body: Body) -> Json:
    if isinstance(body, Payment):
        return {
            **_fields_json(body),
            "lines": [[line.product_id, line.amount, line.quantity] for line in body.lines],
        }
    return _fields_json(body)


def _fields_json(body: Body) -> Json:
    told = {name: getattr(body, name) for name in _FIELDS[type(body)]}
    if isinstance(body, Reassigned):
        return {name: str(value) if value else None for name, value in told.items()}
    if told.get("settled") is False:
        # Only where it is so, so that older events keep their canonical form.
        del told["settled"]
    return told


def _body_of(kind: Kind, stored: Json) -> Body:
    if kind == "payment":
        return Payment(**{**stored, "lines": tuple(Line(*line) for line in stored["lines"])})
    if kind == "reassigned":
        told = {name: UUID(value) if value else None for name, value in stored.items()}
        return Reassigned(told["program_id"], told["partner_id"], UUID(stored["author"]))
    return BODIES[kind](**stored)
