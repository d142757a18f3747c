"""Accept, reject or withdraw a claim. What is accepted reassigns the customer, in one transaction.

open → accepted | rejected | withdrawn, for good; whoever lost may file anew.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg
from sqlalchemy import Row, func, insert, select, update

from app.conversions.claims.subject import with_customers
from app.conversions.reassign import Gift, give
from app.conversions.track import Tracker
from app.db.tables import Claim, ClaimStep, ClaimWords
from app.db.tx import Tx
from app.enrollments import current_status
from app.errors import Conflict, NotFound
from app.ids import encode

Status = Literal["open", "accepted", "rejected", "withdrawn"]
Grounds = Literal["evidence", "records", "goodwill"]
Refusal = Literal[
    "no_evidence", "other_partner", "known_before", "no_customer", "outside_terms", "other"
]
LOST: Final = "other_claim_accepted"
"""Why a claim is rejected when another one on the same customer is accepted."""
MOST: Final = 1_000
"""Conversions that an outcome tells of, the newest."""

_STANDING: Final = """
SELECT c.id, c.kind, c.base, c.currency, c.credits, c.hold_until, c.occurred_at,
  c.hold_until < (SELECT clock_timestamp())
    OR EXISTS (
      SELECT FROM jsonb_array_elements(c.reasons) r WHERE r->>'code' = 'bound_after_close'
    ) AS closed,
  coalesce((
    SELECT jsonb_agg(
      jsonb_build_object('commission_id', m.id, 'amount', m.amount, 'currency', m.currency)
      ORDER BY m.id
    ) FROM commissions m
    WHERE m.workspace_id = c.workspace_id AND m.conversion_id = c.id AND m.partner_id = $3
      AND NOT m.superseded
  ), '[]') AS earned
FROM conversions c
WHERE c.workspace_id = $1 AND c.customer_id = $2 AND c.superseded_by IS NULL
ORDER BY c.occurred_at DESC, c.id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is decided, by which key, why, and in which words to the partner."""

    status: Status
    key: UUID
    reason_code: str = ""
    text: str = ""
    lost_to: UUID | None = None


async def accept(tx: Tx, tracker: Tracker, workspace: UUID, claim_id: UUID, answer: Answer) -> None:
    """Give the customer to the partner: open and later conversions; closed ones stay.

    The other open claims on the customer are rejected as lost to this one. tx: in the lane.
    NotFound; Conflict if it was decided otherwise, if nobody has the name yet, or if the partner
    may not earn.
    """
    claim = await _locked(tx, workspace, claim_id)
    if _is_done(claim, answer):
        return
    if claim.customer_id is None:
        raise Conflict("Nobody has the name yet that the claim tells, so it waits.")
    if await current_status(tx, workspace, claim.program_id, claim.partner_id) != "active":
        raise Conflict("The partner is suspended in this program.")
    driver = await tx.driver()
    who = (workspace, claim.customer_id, claim.partner_id)
    before = await driver.fetch(_STANDING, *who, MOST)
    reason = f"Claim {encode('clm', claim_id)}"
    gift = Gift(claim.program_id, claim.partner_id, reason, answer.key)
    await give(tx, tracker, workspace, claim.customer_id, gift)
    after = await driver.fetch(_STANDING, *who, MOST)
    outcome = _outcome(before, after, str(claim.partner_id))
    now = await _write(tx, workspace, [claim_id], answer)
    own = (Claim.workspace_id == workspace, Claim.id == claim_id)
    values = {"outcome": outcome, "customer_id": claim.customer_id}
    await tx.execute(update(Claim).where(*own).values(**values))
    lost = Answer("rejected", answer.key, LOST, lost_to=claim_id)
    await _write(tx, workspace, await _rivals(tx, workspace, claim), lost, now)


async def settle(tx: Tx, workspace: UUID, claim_id: UUID, answer: Answer) -> None:
    """Reject or withdraw. NotFound; Conflict if it was decided otherwise."""
    claim = await _locked(tx, workspace, claim_id)
    if not _is_done(claim, answer):
        await _write(tx, workspace, [claim_id], answer)


async def _locked(tx: Tx, workspace: UUID, claim_id: UUID) -> Row[Any]:
    row = await tx.first(
        with_customers(workspace).where(Claim.id == claim_id).with_for_update(of=Claim)
    )
    if row is None:
        raise NotFound
    return row


def _is_done(claim: Row[Any], answer: Answer) -> bool:
    """Whether it was decided so before, which then stays as it was told."""
    if claim.status not in {"open", answer.status}:
        raise Conflict(f"The claim is {claim.status}.")
    return bool(claim.status == answer.status)


async def _write(
    tx: Tx, workspace: UUID, claims: list[UUID], answer: Answer, at: datetime | None = None
) -> datetime:
    """Write down the step of each, with the answer where its words were not erased."""
    now: datetime = at or await tx.scalar(select(func.clock_timestamp()))
    if not claims:
        return now
    own = Claim.workspace_id == workspace
    values = {"status": answer.status, "lost_to": answer.lost_to}
    await tx.execute(update(Claim).where(own, Claim.id.in_(claims)).values(**values))
    step = {"workspace_id": workspace, "number": 2, "status": answer.status, "at": now}
    step |= {"key_id": answer.key, "reason_code": answer.reason_code}
    await tx.execute(insert(ClaimStep), [{**step, "claim_id": claim} for claim in claims])
    if answer.text:
        await tx.execute(
            update(ClaimWords)
            .where(ClaimWords.workspace_id == workspace, ClaimWords.claim_id.in_(claims))
            .values(answer=answer.text)
        )
    return now


async def _rivals(tx: Tx, workspace: UUID, claim: Row[Any]) -> list[UUID]:
    """The other open claims on the customer."""
    claims = with_customers(workspace).where(Claim.status == "open").subquery()
    rows = await tx.all(
        select(claims.c.id)
        .where(claims.c.customer_id == claim.customer_id, claims.c.id != claim.id)
        .order_by(claims.c.id)
    )
    return [row.id for row in rows]


def _outcome(
    before: list["asyncpg.Record"], after: list["asyncpg.Record"], partner: str
) -> dict[str, list[dict[str, Any]]]:
    """What moved to the partner, what was its already, what had closed, and what stayed open with
    somebody else, or nobody, for a reason that the conversion tells.
    """
    had = {row["id"]: _share(row, partner) for row in before}
    outcome: dict[str, list[dict[str, Any]]] = {
        "moved": [], "already": [], "closed": [], "not_moved": []
    }  # fmt: skip
    for row in after:
        share = _share(row, partner)
        if share > had.get(row["id"], 0):
            place = "moved"
        elif share:
            place = "already"
        else:
            place = "closed" if row["closed"] else "not_moved"
        told = {"conversion_id": str(row["id"]), "kind": row["kind"], "amount": row["base"]}
        told |= {"currency": row["currency"], "commissions": row["earned"]}
        outcome[place].append(told)
    return outcome


def _share(row: "asyncpg.Record", partner: str) -> int:
    """The partner's, in bps."""
    return sum(bps for credited, bps in row["credits"] if credited == partner)
