"""`/v1/customers/{id}/partner`: a customer becomes a partner, and whom it referred counts."""

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from sqlalchemy import insert, select

from app.add_partners import EnrollmentCreate, PartnerCreate, create, enroll
from app.auth import Caller, Scope, in_lane, needs
from app.conversions.customers import survivor
from app.conversions.intake import incoming
from app.conversions.intake.incoming import Incoming
from app.conversions.requests import KnownAlias, Referring
from app.db.tables import Customer, Link, PartnerCustomer
from app.db.tx import Tx
from app.errors import Conflict, FieldError, InvalidRequest, LaneBusy, NotFound
from app.openapi import documented
from app.tracking_links import BaseUrl, LinkOut, select_links
from app.wire import Country, CustomerId, Email, In, Name, Out, PartnerId, ProgramId
from app.writing import Writes

router: Final = APIRouter(prefix="/customers", tags=["Customers"], route_class=Writes)
Writer = Annotated[Caller, Depends(needs(Scope.PARTNERS_WRITE))]
Lane = Annotated[Tx, in_lane(Scope.PARTNERS_WRITE)]


class CustomerPartnerCreate(In):
    """name, email: none for the customer's own, as a source told them."""

    program_id: ProgramId
    name: Name | None = None
    email: Email | None = None
    country: Country | None = None


class CustomerPartnerOut(Out):
    """The customer as a partner. link: its own in this program; it need not use it to refer."""

    customer_id: CustomerId
    partner_id: PartnerId
    program_id: ProgramId
    link: LinkOut


@router.post(
    "/{customer_id}/partner", status_code=201, responses=documented(NotFound, Conflict, LaneBusy)
)
async def make_customer_partner(
    customer_id: CustomerId,
    body: CustomerPartnerCreate,
    caller: Writer,
    tx: Lane,
    base_url: BaseUrl,
) -> CustomerPartnerOut:
    """Make a customer a partner of a program, or of a further one.

    Customers for whom it was named as the referrer are decided again within a second: what is
    still open counts for it.
    """
    workspace = caller.workspace_id
    customer = await survivor(tx, workspace, customer_id)
    partner, link_id = await _become(tx, workspace, customer, body)
    await _decide_again(tx, workspace, customer, partner=partner, program=body.program_id)
    row = await tx.first(select_links(workspace).where(Link.id == link_id))
    assert row is not None
    return CustomerPartnerOut(
        customer_id=customer,
        partner_id=partner,
        program_id=body.program_id,
        link=LinkOut.of(row, base_url),
    )


async def _become(
    tx: Tx, workspace: UUID, customer: UUID, body: CustomerPartnerCreate
) -> tuple[UUID, UUID]:
    """The partner that the customer is from now on, and its link in the program.

    NotFound for the program; Conflict if it is in there already; InvalidRequest without an
    address to write to.
    """
    partner: UUID | None = await tx.scalar(
        select(PartnerCustomer.partner_id)
        .where(PartnerCustomer.workspace_id == workspace, PartnerCustomer.customer_id == customer)
        .order_by(PartnerCustomer.created_at, PartnerCustomer.partner_id)
        .limit(1)
    )
    if partner is not None:
        place = EnrollmentCreate(program_id=body.program_id)
        return partner, await enroll(tx, workspace, partner, place)
    known = await tx.first(
        select(Customer.email, Customer.name).where(
            Customer.workspace_id == workspace, Customer.id == customer
        )
    )
    assert known is not None
    email = body.email or known.email
    if not email:
        problem = "No address of this customer is known"
        raise InvalidRequest(errors=[FieldError("body/email", problem, "Send one.")])
    made = await create(
        tx,
        workspace,
        PartnerCreate(
            program_id=body.program_id,
            name=body.name or known.name or email,
            email=email,
            country=body.country,
        ),
    )
    await tx.execute(
        insert(PartnerCustomer).values(
            workspace_id=workspace, partner_id=made.id, customer_id=customer
        )
    )
    return made.id, made.link_id


async def _decide_again(
    tx: Tx, workspace: UUID, referrer: UUID, *, partner: UUID, program: UUID
) -> None:
    """An event for each customer whom this one is said to have referred and who has something
    open: only news decides anew. The worker takes them up.
    """
    driver = await tx.driver()
    now = datetime.now(UTC)
    messages: list[Incoming] = []
    for row in await driver.fetch(_REFERRED, workspace, referrer):
        known = KnownAlias(namespace=row["namespace"], external_id=row["external_id"])
        news = Referring(known=known, partner_id=partner, program_id=program)
        body = news.model_dump_json().encode()
        messages.append(Incoming(workspace, "api", news.mapped(now), body))
    if messages:
        await incoming.store(tx, messages, ())


_REFERRED: Final = """
SELECT DISTINCT ON (e.customer_id) k.namespace, k.external_id
FROM customer_names n
JOIN told_touches t
  ON t.workspace_id = n.workspace_id AND t.kind = 'referrer' AND t.name = n.name
JOIN events e ON e.workspace_id = t.workspace_id AND e.id = t.event_id
JOIN customer_names k ON k.workspace_id = e.workspace_id AND k.customer_id = e.customer_id
  AND k.external_id IS NOT NULL
WHERE n.workspace_id = $1 AND n.customer_id = $2 AND e.customer_id <> $2
  AND EXISTS (
    SELECT FROM conversions c
    WHERE c.workspace_id = e.workspace_id AND c.customer_id = e.customer_id
      AND c.superseded_by IS NULL AND (c.hold_until IS NULL OR c.hold_until >= now())
  )
ORDER BY e.customer_id, k.namespace, k.external_id
"""
