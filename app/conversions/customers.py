"""`/v1/customers`: by which names a customer is known, who brought it, what it bought."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy import select

from app.auth import Caller, ReadDep, Scope, in_lane, needs
from app.conversions.identities import EMAIL
from app.conversions.providers.track import OWN
from app.conversions.read import ConversionOut, CreditOut, conversions
from app.conversions.reassignments import ReassignmentOut, reassignments_of
from app.conversions.requests import AliasIn, Joining, KnownAlias
from app.conversions.touches import TouchOut, touches_of
from app.conversions.track import TrackerDep
from app.core.money import BPS
from app.db.tables import Customer
from app.db.tx import Read, Tx
from app.errors import Conflict, ConflictingEvent, LaneBusy, NotFound
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.wire import CustomerId, Instant, Listed, Out, ProgramId
from app.writing import Writes

router: Final = APIRouter(prefix="/customers", tags=["Customers"], route_class=Writes)
Reader = Annotated[Caller, Depends(needs(Scope.CONVERSIONS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.CONVERSIONS_WRITE))]
Lane = Annotated[Tx, in_lane(Scope.CONVERSIONS_WRITE)]
_ORDER: Final = Order("cus", Customer.created_at, Customer.id, Customer.workspace_id)
_MOST: Final = 100


class AliasOut(Out):
    """One name of a customer."""

    namespace: str = Field(examples=["own"])
    external_id: str = Field(examples=["user-17"])


class BindingOut(Out):
    """Whom the customer's later conversions follow. since: the conversion that made it."""

    program_id: ProgramId
    credits: list[CreditOut]
    since: Instant


class CustomerOut(Out):
    """email, name: as a source told them last; empty: unknown, or erased and not told since.

    heard_from: how it came here, in its own words.
    """

    id: CustomerId
    email: str
    name: str
    heard_from: str
    created_at: Instant
    erased_at: Instant | None


class CustomerWhole(CustomerOut):
    """The latest 100 of touches and conversions each; more by their own lists."""

    aliases: list[AliasOut]
    touches: list[TouchOut]
    conversions: list[ConversionOut]
    binding: BindingOut | None
    reassignments: list[ReassignmentOut]


@router.get("")
async def list_customers(caller: Reader, read: ReadDep, wanted: PageDep) -> Listed[CustomerOut]:
    """Customers, newest first; those that turned out to be another one are left out."""
    statement = select(Customer.__table__).where(
        Customer.workspace_id == caller.workspace_id, Customer.merged_into.is_(None)
    )
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    data = [
        CustomerOut(
            id=row.id,
            email=row.email,
            name=row.name,
            heard_from=row.heard_from,
            created_at=row.created_at,
            erased_at=row.erased_at,
        )
        for row in rows
    ]
    return Listed(data=data, has_more=has_more)


@router.get("/{customer_id}")
async def get_customer(customer_id: CustomerId, caller: Reader, read: ReadDep) -> CustomerWhole:
    """One customer; asked for by an id that was joined to another, that other one."""
    return await whole(read, caller.workspace_id, customer_id)


@router.post(
    "/{customer_id}/aliases",
    status_code=201,
    responses=documented(Conflict, ConflictingEvent, LaneBusy),
)
async def add_alias(
    customer_id: CustomerId, body: AliasIn, caller: Writer, tx: Lane, tracker: TrackerDep
) -> CustomerWhole:
    """Give a customer another name. If somebody has it, the two are one from now on, for good."""
    customer = await survivor(tx, caller.workspace_id, customer_id)
    known = await a_name(tx, caller.workspace_id, customer)
    joining = Joining(known=known, alias=body)
    await tracker.tell_alone(
        tx,
        caller.workspace_id,
        joining.mapped(datetime.now(UTC)),
        joining.model_dump_json().encode(),
    )
    return await whole(tx, caller.workspace_id, customer_id)


async def survivor(read: Read, workspace: UUID, customer: UUID) -> UUID:
    """The customer itself, or the one that it was joined to; NotFound."""
    row = await read.first(
        select(Customer.id, Customer.merged_into).where(
            Customer.workspace_id == workspace, Customer.id == customer
        )
    )
    if row is None:
        raise NotFound
    survivor: UUID = row.merged_into or row.id
    return survivor


async def a_name(read: Read, workspace: UUID, customer: UUID) -> KnownAlias:
    """One of its aliases, to say whom the new one belongs to."""
    aliases = await _aliases(read, workspace, customer)
    if not aliases:
        raise Conflict("This customer has no alias that another one could be joined to.")
    return KnownAlias(namespace=aliases[0].namespace, external_id=aliases[0].external_id)


async def whole(read: Read, workspace: UUID, customer_id: UUID) -> CustomerWhole:
    customer = await survivor(read, workspace, customer_id)
    driver = await read.driver()
    row = await driver.fetchrow(
        "SELECT id, email, name, heard_from, created_at, erased_at FROM customers"
        " WHERE workspace_id = $1 AND id = $2",
        workspace,
        customer,
    )
    assert row is not None
    ids = await driver.fetch(
        "SELECT id FROM conversions WHERE workspace_id = $1 AND customer_id = $2"
        " AND superseded_by IS NULL ORDER BY occurred_at DESC, id DESC LIMIT $3",
        workspace,
        customer,
        _MOST,
    )
    reassignments = await reassignments_of(driver, workspace, customer, most=_MOST)
    return CustomerWhole(
        **dict(row),
        aliases=await _aliases(read, workspace, customer),
        touches=await touches_of(driver, workspace, customer, most=_MOST),
        conversions=await conversions(read, workspace, [r["id"] for r in ids]),
        binding=await _binding(driver, workspace, customer, reassignments[:1]),
        reassignments=reassignments,
    )


async def _aliases(read: Read, workspace: UUID, customer: UUID) -> list[AliasOut]:
    driver = await read.driver()
    rows = await driver.fetch(
        "SELECT namespace, external_id FROM customer_names WHERE workspace_id = $1"
        " AND customer_id = $2 AND external_id IS NOT NULL"
        " ORDER BY namespace <> $3, namespace = $4, namespace, external_id LIMIT $5",
        workspace,
        customer,
        OWN,
        EMAIL,
        _MOST,
    )
    return [AliasOut(**row) for row in rows]


async def _binding(
    driver: Any, workspace: UUID, customer: UUID, said: Sequence[ReassignmentOut]
) -> BindingOut | None:
    """What people said last; else what the earliest closed conversion made of the customer; none
    closed: the earliest open. Of all that, what began since the last binding that was found ended.
    """
    ended_at = await driver.fetchval(_ENDED, workspace, customer)
    row = await driver.fetchrow(_BOUND, workspace, customer, ended_at)
    latest = [one for one in said if ended_at is None or one.at >= ended_at]
    if latest and (row is None or row["bound_at"] <= latest[0].at):
        return _assigned(latest[0])
    if row is None:
        return None
    return BindingOut(
        program_id=row["program_id"],
        credits=[CreditOut(partner_id=UUID(p), bps=bps) for p, bps in row["credits"]],
        since=row["bound_at"],
    )


_ENDED: Final = """
SELECT max((told->'params'->>'ended_at')::timestamptz)
FROM conversions, jsonb_array_elements(reasons) AS told
WHERE workspace_id = $1 AND customer_id = $2 AND superseded_by IS NULL
  AND told->>'code' = 'binding_ended'
"""
_BOUND: Final = """
SELECT program_id, credits, bound_at FROM conversions
WHERE workspace_id = $1 AND customer_id = $2 AND superseded_by IS NULL
  AND bound_at >= coalesce($3::timestamptz, '-infinity')
ORDER BY hold_until < now() DESC, occurred_at, key LIMIT 1
"""


def _assigned(said: ReassignmentOut) -> BindingOut | None:
    if said.program_id is None or said.partner_id is None:
        return None
    whole = CreditOut(partner_id=said.partner_id, bps=BPS)
    return BindingOut(program_id=said.program_id, credits=[whole], since=said.at)
