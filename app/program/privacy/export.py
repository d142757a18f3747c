"""Everything that is held about a partner, as one document that it can be handed."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Executable, Row, Select, func, select

from app.claim_words import WrittenClaimOut, claims_of
from app.db.tables import (
    Account,
    Commission,
    Deal,
    DealProspect,
    EnrollmentState,
    Link,
    Partner,
    PartnerCompany,
    PartnerCountry,
    PartnerMember,
)
from app.db.tx import Read
from app.errors import NotFound
from app.ledger.units import InUnit, in_unit
from app.partner_standing import OwnTermsOut, QualifiedOut, own_terms, qualified
from app.tracking_links import LinkOut, select_links
from app.wire import Amount, CommissionId, Instant, Out, PartnerId, ProgramId

MOST: Final = 1_000
"""Of links and commissions each; what is left out is told."""


class MemberOut(Out):
    """A person of the partner."""

    name: str
    email: str
    created_at: Instant


class CountryOut(Out):
    """Since when the partner is in a country; empty: unknown."""

    since: Instant
    country: str


class CompanyOut(Out):
    """Since when the partner belongs to a company, which is another partner; none: to none."""

    since: Instant
    company_id: PartnerId | None


class PlaceOut(Out):
    """Since when the partner is active or suspended in a program."""

    program_id: ProgramId
    since: Instant
    status: str


class EarnedOut(InUnit):
    """A commission without the customer who brought it. to: as whom the partner has it; not always
    as who was credited. paid, reversed, held: of the amount.
    """

    id: CommissionId
    program_id: ProgramId
    status: str
    rule: str
    to: str
    base: Amount
    amount: Amount
    reversed: Amount
    held: Amount
    paid: Amount
    occurred_at: Instant
    hold_until: Instant


class OwedOut(InUnit):
    """What is not paid out yet of one thing, money in minor units. payable may be negative."""

    pending: int
    held: int
    payable: int
    in_flight: int


class LinksLeftOut(Out):
    """How many older ones are not in the document; `/v1/links` and `/v1/commissions` list them."""

    links: int
    commissions: int


class RegisteredDealOut(Out):
    """A prospect that the partner registered. stage: as written last."""

    company: str
    domain: str
    contact_name: str
    contact_email: str
    product: str
    note: str
    stage: str
    registered_at: Instant


class PartnerExport(Out):
    """clicks on the links are counted; who made them is the visitors' data and not in it."""

    id: PartnerId
    external_id: str | None
    created_at: Instant
    archived_at: Instant | None
    erased_at: Instant | None
    members: list[MemberOut]
    countries: list[CountryOut]
    companies: list[CompanyOut]
    enrollments: list[PlaceOut]
    qualifications: list[QualifiedOut]
    own_terms: list[OwnTermsOut]
    links: list[LinkOut]
    commissions: list[EarnedOut]
    deals: list[RegisteredDealOut]
    claims: list[WrittenClaimOut]
    outstanding: list[OwedOut]
    left_out: LinksLeftOut


async def export_partner(
    read: Read, workspace: UUID, partner_id: UUID, base_url: str
) -> PartnerExport:
    """NotFound."""
    partner = await read.first(
        select(Partner.__table__).where(Partner.workspace_id == workspace, Partner.id == partner_id)
    )
    if partner is None:
        raise NotFound
    links, more_links = await _newest(read, _links(workspace, partner_id))
    earned, more_earned = await _newest(read, _commissions(workspace, partner_id))
    plain = ("id", "external_id", "created_at", "archived_at", "erased_at")
    return PartnerExport(
        **{name: getattr(partner, name) for name in plain},
        members=[MemberOut(**row) for row in await read.dicts(_members(workspace, partner_id))],
        countries=[
            CountryOut(**row) for row in await read.dicts(_countries(workspace, partner_id))
        ],
        companies=[
            CompanyOut(**row) for row in await read.dicts(_companies(workspace, partner_id))
        ],
        enrollments=[PlaceOut(**row) for row in await read.dicts(_places(workspace, partner_id))],
        qualifications=await qualified(read, workspace, partner_id),
        own_terms=await own_terms(read, workspace, partner_id),
        links=[LinkOut.of(row, base_url) for row in links],
        commissions=[_earned(row) for row in earned],
        deals=[RegisteredDealOut(**row) for row in await read.dicts(_deals(workspace, partner_id))],
        claims=await claims_of(read, workspace, partner_id),
        outstanding=await outstanding(read, workspace, partner_id),
        left_out=LinksLeftOut(links=more_links, commissions=more_earned),
    )


async def outstanding(read: Read, workspace: UUID, partner_id: UUID) -> list[OwedOut]:
    """By currency, where anything is not paid out yet."""
    rows = await read.all(
        select(
            Account.currency,
            Account.role,
            func.sum(Account.credits - Account.debits).label("amount"),
        )
        .where(Account.workspace_id == workspace, Account.partner_id == partner_id)
        .group_by(Account.currency, Account.role)
        .order_by(Account.currency)
    )
    owed: dict[str, dict[str, int]] = {}
    for row in rows:
        owed.setdefault(row.currency, {})[row.role] = int(row.amount)
    roles = ("pending", "held", "payable", "in_flight")
    return [
        OwedOut(**in_unit(currency), **{role: by_role.get(role, 0) for role in roles})
        for currency, by_role in owed.items()
        if any(by_role.get(role) for role in roles)
    ]


def _earned(row: Row[Any]) -> EarnedOut:
    told = dict(row._mapping)  # noqa: SLF001 (public)
    return EarnedOut(**in_unit(told.pop("currency")), **told)


async def _newest(read: Read, statement: Select[Any]) -> tuple[Sequence[Row[Any]], int]:
    """The first 1,000, and how many more there are."""
    rows = await read.all(statement.limit(MOST))
    if len(rows) < MOST:
        return rows, 0
    everything = select(func.count()).select_from(statement.order_by(None).subquery())
    return rows, int(await read.scalar(everything)) - MOST


def _members(workspace: UUID, partner: UUID) -> Executable:
    return (
        select(PartnerMember.name, PartnerMember.email, PartnerMember.created_at)
        .where(PartnerMember.workspace_id == workspace, PartnerMember.partner_id == partner)
        .order_by(PartnerMember.created_at, PartnerMember.id)
    )


def _countries(workspace: UUID, partner: UUID) -> Executable:
    return (
        select(PartnerCountry.since, PartnerCountry.country)
        .where(PartnerCountry.workspace_id == workspace, PartnerCountry.partner_id == partner)
        .order_by(PartnerCountry.since)
    )


def _companies(workspace: UUID, partner: UUID) -> Executable:
    return (
        select(PartnerCompany.since, PartnerCompany.company_id)
        .where(PartnerCompany.workspace_id == workspace, PartnerCompany.partner_id == partner)
        .order_by(PartnerCompany.since)
    )


def _places(workspace: UUID, partner: UUID) -> Executable:
    return (
        select(
            EnrollmentState.program_id,
            EnrollmentState.since,
            EnrollmentState.state.label("status"),
        )
        .where(EnrollmentState.workspace_id == workspace, EnrollmentState.partner_id == partner)
        .order_by(EnrollmentState.since, EnrollmentState.program_id)
    )


def _links(workspace: UUID, partner: UUID) -> Select[Any]:
    return (
        select_links(workspace)
        .where(Link.partner_id == partner)
        .order_by(Link.created_at.desc(), Link.id.desc())
    )


def _commissions(workspace: UUID, partner: UUID) -> Select[Any]:
    columns: Sequence[Any] = (
        Commission.id, Commission.program_id, Commission.status, Commission.rule_id.label("rule"),
        Commission.recipient.label("to"),
        Commission.base, Commission.amount, Commission.reversed, Commission.held, Commission.paid,
        Commission.currency, Commission.occurred_at, Commission.hold_until,
    )  # fmt: skip
    return (
        select(*columns)
        .where(Commission.workspace_id == workspace, Commission.partner_id == partner)
        .order_by(Commission.recorded_at.desc(), Commission.id.desc())
    )


def _deals(workspace: UUID, partner: UUID) -> Executable:
    told: Sequence[Any] = (
        DealProspect.company, DealProspect.domain, DealProspect.contact_name,
        DealProspect.contact_email, DealProspect.note,
    )  # fmt: skip
    return (
        select(*told, Deal.product, Deal.stage, Deal.registered_at)
        .join(Deal, Deal.id == DealProspect.deal_id)
        .where(DealProspect.workspace_id == workspace, Deal.partner_id == partner)
        .order_by(Deal.registered_at.desc(), Deal.id.desc())
        .limit(MOST)
    )
