"""File a claim: who, about whom, what they say, and what shows it."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import Row, func, insert, or_, select

from app import destinations
from app.conversions.claims.subject import About, Subject, subject, with_customers
from app.db.tables import Claim, ClaimStep, ClaimWords, Conversion, Partner, Program
from app.db.tx import Tx
from app.enrollments import current_status
from app.errors import ClaimExists, ClaimTooLate, Conflict, FieldError, unknown
from app.ids import encode, uuid7
from app.wire import In, PartnerId, ProgramId

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class UrlEvidence(In):
    """An address at which something can be seen. We never open it."""

    kind: Literal["url"]
    url: Annotated[str, StringConstraints(max_length=2_048)] = Field(
        examples=["https://calendar.example.com/demo-with-acme"]
    )
    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class TextEvidence(In):
    """Something written: a mail, a note of a call."""

    kind: Literal["text"]
    text: Words


Evidence = Annotated[UrlEvidence | TextEvidence, Field(discriminator="kind")]


class ClaimCreate(About):
    """Whom it is about is told in one of five ways. statement and evidence may name people: they
    are handed out and erased with the customer.
    """

    program_id: ProgramId
    partner_id: PartnerId
    statement: Words = Field(examples=["I showed them the product at the fair in May."])
    evidence: Annotated[list[Evidence], Field(max_length=10)] = []  # noqa: RUF012 (pydantic)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if len(self.ways) != 1:
            raise ValueError(
                "send one of customer_id, customer_external_id, customer_alias, conversion_id and"
                " invoice_id"
            )
        return self


async def file_claim(tx: Tx, workspace: UUID, new: ClaimCreate, *, key: UUID) -> UUID:
    """The new claim's id. tx: in the lane, so that of two alike one is first.

    NotFound; Conflict for a suspended partner; ClaimExists; ClaimTooLate; InvalidRequest for an
    address that is none.
    """
    program = await _place(tx, workspace, new)
    evidence = [_checked(one, n) for n, one in enumerate(new.evidence)]
    about = await subject(tx, workspace, new)
    await _refuse_twice(tx, workspace, new, about)
    now: datetime = await tx.scalar(select(func.clock_timestamp()))
    if program.claim_days is not None and about.customer_id is not None:
        await _refuse_late(tx, workspace, about.customer_id, program.claim_days, now)
    claim = uuid7()
    await tx.execute(
        insert(Claim).values(
            id=claim,
            workspace_id=workspace,
            program_id=new.program_id,
            partner_id=new.partner_id,
            customer_id=about.customer_id,
            name=about.name,
            conversion_id=about.conversion_id,
            status="open",
            filed_at=now,
        )
    )
    own = {"workspace_id": workspace, "claim_id": claim}
    await tx.execute(
        insert(ClaimStep).values(**own, number=1, status="open", at=now, key_id=key, reason_code="")
    )
    await tx.execute(
        insert(ClaimWords).values(
            **own,
            namespace=about.namespace,
            external_id=about.external_id,
            statement=new.statement,
            evidence=evidence,
            answer="",
        )
    )
    return claim


async def _place(tx: Tx, workspace: UUID, new: ClaimCreate) -> Row[Any]:
    """The program, if the partner may earn in it now."""
    program = await tx.first(
        select(Program.claim_days).where(
            Program.workspace_id == workspace,
            Program.id == new.program_id,
            Program.archived_at.is_(None),
        )
    )
    if program is None:
        raise unknown("body/program_id", "No program with this id that is not archived")
    status = await current_status(tx, workspace, new.program_id, new.partner_id)
    if status is None:
        raise unknown("body/partner_id", "No partner with this id in the program")
    archived = select(Partner.id).where(Partner.id == new.partner_id, Partner.archived_at.is_(None))
    if status != "active" or await tx.scalar(archived) is None:
        raise Conflict("The partner is suspended in this program, or archived.")
    return program


def _checked(evidence: Evidence, number: int) -> dict[str, str]:
    if isinstance(evidence, TextEvidence):
        return {"kind": "text", "url": "", "text": evidence.text}
    url = destinations.normal(evidence.url, f"body/evidence/{number}/url")
    return {"kind": "url", "url": url, "text": evidence.text}


async def _refuse_twice(tx: Tx, workspace: UUID, new: ClaimCreate, about: Subject) -> None:
    """One open claim of a partner on a customer, by whatever names."""
    claims = with_customers(workspace).subquery()
    # Of two that are unknown nothing tells that they are the same.
    same = or_(
        *(
            column == told
            for column, told in (
                (claims.c.customer_id, about.customer_id),
                (claims.c.name, about.name),
            )
            if told is not None
        )
    )
    earlier = await tx.scalar(
        select(claims.c.id)
        .where(claims.c.partner_id == new.partner_id, claims.c.status == "open", same)
        .limit(1)
    )
    if earlier is not None:
        known = encode("clm", earlier)
        remedy = "Withdraw it first, if you want to tell it anew."
        raise ClaimExists(
            f"{known} of the same partner on the same customer is open.",
            errors=[FieldError(f"body/{new.ways[0]}", f"{known} is open", remedy)],
        )


async def _refuse_late(
    tx: Tx, workspace: UUID, customer: UUID, claim_days: int, now: datetime
) -> None:
    sold_at: datetime | None = await tx.scalar(
        select(func.min(Conversion.occurred_at)).where(
            Conversion.workspace_id == workspace,
            Conversion.customer_id == customer,
            Conversion.kind != "lead",
            Conversion.superseded_by.is_(None),
        )
    )
    if sold_at is not None and sold_at + timedelta(days=claim_days) < now:
        raise ClaimTooLate(
            f"The program takes claims for {claim_days} days after a customer's first sale,"
            f" which was on {sold_at.date().isoformat()}."
        )
