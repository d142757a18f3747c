"""What a partner wrote in its claims, and was answered: handed out and erased."""

from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, insert, literal, select, update

from app.db.tables import Claim, ClaimStep, ClaimWords
from app.db.tx import Read, Tx
from app.wire import Instant, Out

MOST: Final = 1_000


class WrittenClaimOut(Out):
    """A claim to have referred a customer. evidence: [{kind, url, text}]; status: as it is now."""

    customer_external_id: str
    statement: str
    evidence: list[dict[str, str]]
    answer: str
    status: str
    filed_at: Instant


async def claims_of(read: Read, workspace: UUID, partner: UUID) -> list[WrittenClaimOut]:
    """The newest 1,000."""
    words = ClaimWords
    rows = await read.dicts(
        select(
            words.external_id.label("customer_external_id"),
            words.statement,
            words.evidence,
            words.answer,
            Claim.status,
            Claim.filed_at,
        )
        .join(Claim, Claim.id == words.claim_id)
        .where(words.workspace_id == workspace, Claim.partner_id == partner)
        .order_by(Claim.filed_at.desc(), Claim.id.desc())
        .limit(MOST)
    )
    return [WrittenClaimOut(**row) for row in rows]


async def forget_claims(tx: Tx, workspace: UUID, partner: UUID, key: UUID) -> int:
    """What it wrote and was answered. It can earn by none that is open, so they are withdrawn."""
    own = (Claim.workspace_id == workspace, Claim.partner_id == partner)
    gone = await tx.execute(
        delete(ClaimWords).where(
            ClaimWords.workspace_id == workspace,
            ClaimWords.claim_id.in_(select(Claim.id).where(*own)),
        )
    )
    withdrawn = select(
        Claim.workspace_id,
        Claim.id,
        literal(2),
        literal("withdrawn"),
        func.clock_timestamp(),
        literal(key),
        literal(""),
    ).where(*own, Claim.status == "open")
    columns = ("workspace_id", "claim_id", "number", "status", "at", "key_id", "reason_code")
    await tx.execute(insert(ClaimStep).from_select(columns, withdrawn))
    await tx.execute(update(Claim).where(*own, Claim.status == "open").values(status="withdrawn"))
    return int(gone.rowcount)
