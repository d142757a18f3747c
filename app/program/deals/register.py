"""Register a prospect: first come keeps it, whoever comes later is told why and written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import Row, Select, func, insert, select

from app.core.identity import person_name
from app.db.tables import (
    CustomerName,
    Deal,
    DealConflict,
    DealKey,
    DealProspect,
    DealState,
    Enrollment,
    Partner,
    PartnerCustomer,
    Program,
)
from app.db.tx import Tx
from app.enrollments import current_status
from app.errors import Conflict, FieldError, unknown
from app.errors import DealConflict as Late
from app.ids import uuid7
from app.program.deals.stages import Note, Words, expire
from app.prospects import Match, Prospect, address_spans, keys_of
from app.wire import Email, ExternalId, In, Name, PartnerId, ProgramId

LOCK_DAYS: Final = 90
MAX_LOCK_DAYS: Final = 365

_ORDER: Final[Sequence[Match]] = ("email", "domain", "company")
_REMEDIES: Final[Mapping[Match, str]] = {
    "email": "Ask whoever runs the program if you worked on this contact first.",
    "domain": "Ask whoever runs the program if you worked on this company first.",
    "company": "If it is another company of that name, tell what tells them apart: a town, say.",
}
_CUSTOMERS: Final = """
SELECT c.id, c.created_at, s.n FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS s (lo, hi, n)
CROSS JOIN LATERAL (
  WITH found AS MATERIALIZED (
    SELECT id, created_at FROM customers
    WHERE workspace_id = $1 AND merged_into IS NULL AND email <> ''
      AND reverse(lower(email)) COLLATE "C" >= s.lo AND reverse(lower(email)) COLLATE "C" < s.hi
  )
  SELECT id, created_at FROM found ORDER BY created_at, id LIMIT 1
) c ORDER BY s.n LIMIT 1
"""
"""Addresses backwards, so that those of one domain stand together in the index. Materialized, or
all customers of the workspace would be read in the order of their age.
"""


class DealCreate(In):
    """Who registers: a partner, or a customer by your own id who is a partner too.

    lock_days: how long the prospect is kept for it.
    """

    program_id: ProgramId
    partner_id: PartnerId | None = None
    customer_external_id: ExternalId | None = None
    company: Name = Field(examples=["Acme GmbH"])
    domain: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = Field(
        default=None, examples=["acme.com"]
    )
    contact_name: Words = ""
    contact_email: Email | None = None
    product: Words = ""
    note: Note = ""
    lock_days: Annotated[int, Field(strict=True, ge=1, le=MAX_LOCK_DAYS)] = LOCK_DAYS

    @model_validator(mode="after")
    def _one_registrant(self) -> Self:
        if (self.partner_id is None) == (self.customer_external_id is None):
            raise ValueError("send partner_id or customer_external_id, one of them")
        return self

    @property
    def prospect(self) -> Prospect:
        return Prospect(self.company, self.domain or "", self.contact_email or "")


@dataclass(frozen=True, slots=True)
class First:
    """Who was there before: a deal or a customer, by what it matched, and since when."""

    kind: Literal["deal", "customer"]
    id: UUID
    matched: Match
    since: datetime

    def problem(self) -> Late:
        """What the latecomer is told: the match and its date, not who was first."""
        day = self.since.date().isoformat()
        what = "registered" if self.kind == "deal" else "a customer"
        place = {"email": "contact_email"}.get(self.matched, self.matched)
        return Late(
            f"A prospect with this {self.matched} is {what} since {day}.",
            errors=[
                FieldError(
                    f"body/{place}", f"{what} since {day}".capitalize(), _REMEDIES[self.matched]
                )
            ],
        )


async def register(tx: Tx, workspace: UUID, new: DealCreate, *, key: UUID) -> UUID | First:
    """The new deal's id, or who came first; the attempt is recorded then.

    tx: in the lane, so that of those who come at once one is first, and no customer is being made
    meanwhile. NotFound for the program or partner, Conflict if the partner may not earn there.
    """
    partner = await _registrant(tx, workspace, new)
    keys = keys_of(new.prospect)
    await expire(tx, workspace, keys)
    first = await _holder(tx, workspace, keys) or await _customer(tx, workspace, new.prospect)
    ids = {"workspace_id": workspace, "program_id": new.program_id, "partner_id": partner}
    now: datetime = await tx.scalar(select(func.clock_timestamp()))
    if first is not None:
        await tx.execute(
            insert(DealConflict).values(
                id=uuid7(),
                **ids,
                matched=first.matched,
                deal_id=first.id if first.kind == "deal" else None,
                customer_id=first.id if first.kind == "customer" else None,
                key_id=key,
                at=now,
            )
        )
        return first
    return await _write(tx, ids, new, keys, {"at": now, "key_id": key})


async def _write(
    tx: Tx, ids: Mapping[str, UUID], new: DealCreate, keys: Mapping[str, Match], by: dict[str, Any]
) -> UUID:
    deal = uuid7()
    own = {"workspace_id": ids["workspace_id"], "deal_id": deal}
    lock_until = by["at"] + timedelta(days=new.lock_days)
    await tx.execute(
        insert(Deal).values(
            id=deal,
            **ids,
            product=new.product,
            stage="registered",
            registered_at=by["at"],
            lock_days=new.lock_days,
            lock_until=lock_until,
            extensions=0,
            number=1,
            linked=False,
            told_number=0,
        )
    )
    await tx.execute(
        insert(DealState).values(
            **own, number=1, stage="registered", lock_until=lock_until, reason="", **by
        )
    )
    await tx.execute(
        insert(DealProspect).values(
            **own,
            company=new.company,
            domain=new.domain or "",
            contact_name=new.contact_name,
            contact_email=new.contact_email or "",
            note=new.note,
            customer_external_id="",
        )
    )
    await tx.execute(insert(DealKey), [{**own, "name": name} for name in keys])
    return deal


async def _registrant(tx: Tx, workspace: UUID, new: DealCreate) -> UUID:
    """Who would earn by the deal, active in the program now."""
    by_id = new.partner_id is not None
    wanted = Partner.id == new.partner_id
    if new.customer_external_id is not None:
        wanted = Partner.id.in_(_partners_who_are(workspace, new.customer_external_id))
    program = await tx.first(
        select(Program.id).where(
            Program.workspace_id == workspace,
            Program.id == new.program_id,
            Program.archived_at.is_(None),
        )
    )
    if program is None:
        raise unknown("body/program_id", "No program with this id that is not archived")
    partner = await tx.first(
        select(Partner.id)
        .join(Enrollment, Enrollment.partner_id == Partner.id)
        .where(
            Partner.workspace_id == workspace,
            wanted,
            Partner.archived_at.is_(None),
            Enrollment.workspace_id == workspace,
            Enrollment.program_id == new.program_id,
        )
        .order_by(Enrollment.created_at, Partner.id)
        .limit(1)
    )
    if partner is None:
        field = "partner_id" if by_id else "customer_external_id"
        who = "partner with this id" if by_id else "customer with this id who is a partner"
        raise unknown(f"body/{field}", f"No {who} in the program")
    if await current_status(tx, workspace, new.program_id, partner.id) != "active":
        raise Conflict("The partner is suspended in this program.")
    found: UUID = partner.id
    return found


def _partners_who_are(workspace: UUID, external_id: str) -> Select[Any]:
    """A customer may be a partner too, and registers as that."""
    return (
        select(PartnerCustomer.partner_id)
        .join(
            CustomerName,
            (CustomerName.workspace_id == PartnerCustomer.workspace_id)
            & (CustomerName.customer_id == PartnerCustomer.customer_id),
        )
        .where(
            CustomerName.workspace_id == workspace,
            CustomerName.name == person_name("own", external_id),
        )
    )


async def _holder(tx: Tx, workspace: UUID, keys: Mapping[str, Match]) -> First | None:
    """The deal that keeps one of the keys, by the strongest match."""
    rows: Sequence[Row[Any]] = await tx.all(
        select(DealKey.name, Deal.id, Deal.registered_at)
        .join(Deal, Deal.id == DealKey.deal_id)
        .where(DealKey.workspace_id == workspace, DealKey.name.in_(keys))
    )
    if not rows:
        return None
    row = min(rows, key=lambda r: (_ORDER.index(keys[r.name]), r.registered_at))
    return First("deal", row.id, keys[row.name], row.registered_at)


async def _customer(tx: Tx, workspace: UUID, prospect: Prospect) -> First | None:
    """A customer with the contact's address, else the oldest one under the company's domain."""
    spans = address_spans(prospect)
    driver = await tx.driver()
    row = await driver.fetchrow(
        _CUSTOMERS, workspace, [s.low for s in spans], [s.high for s in spans]
    )
    if row is None:
        return None
    return First("customer", row["id"], spans[row["n"] - 1].match, row["created_at"])
