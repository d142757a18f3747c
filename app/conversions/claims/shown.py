"""Claims as they are shown: what was told, how it was answered, what that moved."""

from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row, Select, and_, select

from app.conversions.claims.decide import Status
from app.conversions.claims.subject import with_customers
from app.conversions.considered import WhyNotOut, why_not
from app.conversions.providers.track import OWN
from app.core.conversions import ConversionKind
from app.db.tables import Claim, ClaimStep, ClaimWords
from app.db.tx import Read
from app.errors import NotFound
from app.ledger.units import InUnit, in_unit
from app.wire import (
    Amount,
    ClaimId,
    CommissionId,
    ConversionId,
    CustomerId,
    Instant,
    KeyId,
    Out,
    PartnerId,
    ProgramId,
)


class EvidenceOut(Out):
    """url: empty for what was written only. We never open it."""

    kind: Literal["url", "text"]
    url: str
    text: str


class ClaimOut(Out):
    """customer_id: null while nobody has the name that was told: the claim waits for its customer.

    statement, evidence, answer, customer_external_id: empty or null if they were not told, or
    erased. reason_code: of the answer. lost_to: the claim that was accepted in its place.
    """

    id: ClaimId
    program_id: ProgramId
    partner_id: PartnerId
    status: Status
    customer_id: CustomerId | None
    customer_external_id: str | None
    conversion_id: ConversionId | None
    waits_for_customer: bool
    statement: str
    evidence: list[EvidenceOut]
    answer: str
    reason_code: str = Field(examples=["no_evidence"])
    lost_to: ClaimId | None
    filed_at: Instant
    decided_at: Instant | None

    @classmethod
    def of(cls, row: Row[Any], **more: Any) -> Self:
        plain = (
            "id", "program_id", "partner_id", "status", "customer_id", "conversion_id", "lost_to",
            "filed_at", "decided_at",
        )  # fmt: skip
        return cls(
            **{name: getattr(row, name) for name in plain},
            customer_external_id=row.external_id if row.namespace == OWN else None,
            waits_for_customer=row.customer_id is None,
            statement=row.statement or "",
            evidence=[EvidenceOut(**one) for one in row.evidence or []],
            answer=row.answer or "",
            reason_code=row.reason_code or "",
            **more,
        )


class ClaimStepOut(Out):
    """One step. key_id: by whose key."""

    status: Status
    at: Instant
    key_id: KeyId
    reason_code: str


class ClaimEarnedOut(InUnit):
    """A commission of the partner on the conversion."""

    commission_id: CommissionId
    amount: Amount


class ClaimedSaleOut(Out):
    """amount: what commissions are worked out on. commissions: the partner's, as of the day."""

    conversion_id: ConversionId
    kind: ConversionKind
    amount: Amount
    currency: str
    commissions: list[ClaimEarnedOut]


class ClaimOutcomeOut(Out):
    """What accepting a claim did, as of that day; the newest 1,000 conversions.

    moved: are the partner's now. already: were so before. closed: stay whose they were, since their
    hold was over. not_moved: open, but not the partner's for a reason that the conversion tells.
    """

    moved: list[ClaimedSaleOut]
    already: list[ClaimedSaleOut]
    closed: list[ClaimedSaleOut]
    not_moved: list[ClaimedSaleOut]

    @classmethod
    def stored(cls, outcome: dict[str, list[dict[str, Any]]]) -> Self:
        return cls(**{place: list(map(_sale, rows)) for place, rows in outcome.items()})


class ClaimWhole(ClaimOut):
    """history: oldest first. outcome: of an accepted claim. why_not: the customer's newest 20
    conversions that the partner has no part in, and what became of its touches there.
    """

    history: list[ClaimStepOut]
    outcome: ClaimOutcomeOut | None
    why_not: list[WhyNotOut]


async def shown(read: Read, workspace: UUID, claim_id: UUID) -> ClaimWhole:
    """NotFound."""
    row = await read.first(claims(workspace).where(Claim.id == claim_id))
    if row is None:
        raise NotFound
    steps = await read.dicts(
        select(ClaimStep.status, ClaimStep.at, ClaimStep.key_id, ClaimStep.reason_code)
        .where(ClaimStep.workspace_id == workspace, ClaimStep.claim_id == claim_id)
        .order_by(ClaimStep.number)
    )
    reasons: list[WhyNotOut] = []
    if row.customer_id is not None:
        driver = await read.driver()
        reasons = await why_not(driver, workspace, row.customer_id, row.partner_id)
    return ClaimWhole.of(
        row,
        history=[ClaimStepOut(**step) for step in steps],
        outcome=ClaimOutcomeOut.stored(row.outcome) if row.outcome else None,
        why_not=reasons,
    )


def claims(workspace: UUID) -> Select[Any]:
    """All claims of a workspace, for `ClaimOut.of`."""
    words, last = ClaimWords.__table__, ClaimStep.__table__
    decided = and_(last.c.workspace_id == workspace, last.c.claim_id == Claim.id, last.c.number > 1)
    return (
        with_customers(workspace)
        .add_columns(
            *(c for c in words.columns if c.name not in {"workspace_id", "claim_id"}),
            last.c.reason_code,
            last.c.at.label("decided_at"),
        )
        .outerjoin(words, (words.c.workspace_id == workspace) & (words.c.claim_id == Claim.id))
        .outerjoin(last, decided)
    )


def _sale(stored: dict[str, Any]) -> ClaimedSaleOut:
    return ClaimedSaleOut(
        conversion_id=UUID(stored["conversion_id"]),
        kind=stored["kind"],
        amount=stored["amount"],
        currency=stored["currency"],
        commissions=[
            ClaimEarnedOut(
                commission_id=UUID(one["commission_id"]),
                amount=one["amount"],
                **in_unit(one["currency"]),
            )
            for one in stored["commissions"]
        ],
    )
