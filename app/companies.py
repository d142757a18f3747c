"""To which company a partner belongs: another partner, dated, as countries are."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import func, insert, select

from app.db.tables import Partner, PartnerCompany
from app.db.tx import Read, Tx
from app.errors import Conflict, unknown


async def found_in(tx: Tx, workspace: UUID, partner: UUID, company: UUID) -> None:
    """A new partner belongs to the company, as it always did. Raises as `join_company` does."""
    await _check(tx, workspace, partner, company)
    await _note(tx, workspace, partner, company)


async def join_company(tx: Tx, workspace: UUID, partner: UUID, company: UUID | None) -> None:
    """From now on a partner belongs to the company, or to none; the same again changes nothing.

    tx: in the lane. NotFound for an unknown company; Conflict where one would belong to another:
    who earns by whom stays a single step.
    """
    if await company_of(tx, workspace, partner) == company:
        return
    if company is not None:
        await _check(tx, workspace, partner, company)
    # A sale before the first company was of none, and not of the first that there was.
    driver = await tx.driver()
    await driver.execute(_FIRST, workspace, partner)
    await _note(tx, workspace, partner, company)


async def company_of(read: Read, workspace: UUID, partner: UUID) -> UUID | None:
    """As of now."""
    company: UUID | None = await read.scalar(
        select(PartnerCompany.company_id)
        .where(PartnerCompany.workspace_id == workspace, PartnerCompany.partner_id == partner)
        .order_by(PartnerCompany.since.desc())
        .limit(1)
    )
    return company


async def companies_of(
    read: Read, workspace: UUID, partners: Sequence[UUID]
) -> Mapping[UUID, UUID | None]:
    """By partner, as of now; who never had one is left out."""
    driver = await read.driver()
    rows = await driver.fetch(
        """
        SELECT DISTINCT ON (partner_id) partner_id, company_id FROM partner_companies
        WHERE workspace_id = $1 AND partner_id = ANY($2) ORDER BY partner_id, since DESC
        """,
        workspace,
        partners,
    )
    return {row["partner_id"]: row["company_id"] for row in rows}


_FIRST: Final = """
INSERT INTO partner_companies (workspace_id, partner_id, since)
SELECT workspace_id, id, created_at FROM partners
WHERE workspace_id = $1 AND id = $2
  AND NOT EXISTS (SELECT FROM partner_companies WHERE workspace_id = $1 AND partner_id = $2)
"""
_HAS_PARTNERS: Final = """
SELECT EXISTS (
  SELECT FROM partner_companies c
  WHERE c.workspace_id = $1 AND c.company_id = $2 AND NOT EXISTS (
    SELECT FROM partner_companies later
    WHERE later.workspace_id = $1 AND later.partner_id = c.partner_id AND later.since > c.since
  )
)
"""


async def _check(tx: Tx, workspace: UUID, partner: UUID, company: UUID) -> None:
    known = await tx.scalar(
        select(Partner.id).where(
            Partner.workspace_id == workspace, Partner.id == company, Partner.archived_at.is_(None)
        )
    )
    if known is None or company == partner:
        raise unknown("body/company", "No other partner with this id that is not archived")
    if await company_of(tx, workspace, company) is not None:
        raise Conflict("That company belongs to a company itself.")
    driver = await tx.driver()
    if await driver.fetchval(_HAS_PARTNERS, workspace, partner):
        raise Conflict("The partner is a company itself: others belong to it.")


async def _note(tx: Tx, workspace: UUID, partner: UUID, company: UUID | None) -> None:
    await tx.execute(
        insert(PartnerCompany).values(
            workspace_id=workspace,
            partner_id=partner,
            since=func.clock_timestamp(),
            company_id=company,
        )
    )
