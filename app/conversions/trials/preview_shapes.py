"""What the previews take and answer."""

from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from app.conversions.requests import LineIn
from app.conversions.trials.made_up import NOBODY
from app.conversions.who_brought import CodeText
from app.core.attribution_terms import TouchKind
from app.core.conversions import Award, Conversion, ConversionKind, Given
from app.core.rewards import Recipient
from app.core.world import PlanFact
from app.sentences import ReasonOut
from app.terms import PlanDocument
from app.wire import (
    Amount,
    Country,
    Currency,
    ExternalId,
    In,
    Instant,
    Out,
    PartnerId,
    ProgramId,
)

MAX_EARLIER: Final = 100
_TIER = r"^[a-z0-9_-]{1,64}$"


class CustomerIn(In):
    """Who buys. earlier_sales, earlier_value: how many paid sales before, and their base together
    (absent: each like this one). months: how long ago the first was; absent: a month for each.
    """

    country: Country | None = None
    earlier_sales: Annotated[int, Field(strict=True, ge=0, le=MAX_EARLIER)] = 0
    earlier_value: Annotated[Amount, Field(ge=1)] | None = None
    months: Annotated[int, Field(strict=True, ge=0, le=1_200)] | None = None


class MadeUpPartnerIn(In):
    """What a made-up partner has; nothing if nothing is said."""

    country: Country | None = None
    tier: Annotated[str, StringConstraints(pattern=_TIER)] | None = None
    certified: bool = False
    agreement: bool = False


class PartnerIn(MadeUpPartnerIn):
    """Who earns: a partner of the program by its id, or a made-up one with these facts."""

    id: PartnerId | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.id is not None and len(self.model_fields_set) > 1:
            raise ValueError("send id or what a made-up partner has, not both")
        return self


class TouchIn(In):
    """What brought the customer. days_before: how long before the first sale or lead."""

    kind: TouchKind = "click"
    code: CodeText | None = None
    days_before: Annotated[int, Field(strict=True, ge=0, le=3_650)] = 0

    @model_validator(mode="after")
    def _code_of_a_code(self) -> Self:
        if (self.kind == "code") != (self.code is not None):
            raise ValueError("send code with the kind code, and with no other")
        return self


class SaleTried(In):
    """One made-up sale, renewal or lead. amount: what commissions are worked out on; tax: what the
    customer pays on top of it. partner absent: one of whom nothing is known.
    """

    kind: ConversionKind = "sale"
    amount: Annotated[Amount, Field(ge=1)] | None = None
    tax: Amount = 0
    currency: Currency | None = None
    product_id: ExternalId | None = None
    quantity: Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)] | None = None
    lines: Annotated[list[LineIn], Field(max_length=100)] = []  # noqa: RUF012 (pydantic)
    occurred_at: Instant | None = None
    customer: CustomerIn = CustomerIn()
    partner: PartnerIn = PartnerIn()
    touch: TouchIn = TouchIn()


class PreviewIn(SaleTried):
    """The sale, and the plan that it is tried on. program_id: whose partners and dates count."""

    plan: PlanDocument
    program_id: ProgramId | None = None


class AwardOut(Out):
    """What one rule gives. partner_id: none of a made-up partner, and of the customer.

    currency: of money; of anything else its unit, such as `free_months`.
    """

    rule: str
    to: Recipient
    level: int | None
    partner_id: PartnerId | None
    amount: int
    currency: str = Field(examples=["usd"])
    base: int
    rate_bps: int | None


class PreviewOut(Out):
    """kind: as it is decided: a renewal, or a sale. hold_until: until then it would be pending."""

    kind: ConversionKind
    new: bool
    occurred_at: Instant
    amount: int
    gross: int
    currency: str
    hold_until: Instant | None
    awards: list[AwardOut]
    reasons: list[ReasonOut]

    @classmethod
    def of(cls, decided: Conversion, terms: PlanFact) -> Self:
        """terms: those whose rules pay; awards come in the order in which these list them."""
        order = {rule.id: i for i, rule in enumerate(terms.plan.rules)}
        awards = sorted(decided.awards, key=lambda award: order.get(award.rule_id, -1))
        return cls(
            kind=decided.kind,
            new=decided.new,
            occurred_at=decided.occurred_at,
            amount=decided.base,
            gross=decided.gross,
            currency=decided.currency,
            hold_until=decided.hold_until,
            awards=[_award(award) for award in awards],
            reasons=[
                ReasonOut.of({"code": reason.code, "params": reason.params})
                for reason in decided.reasons
            ],
        )


def _award(award: Award) -> AwardOut:
    given = award if isinstance(award, Given) else None
    to: Recipient = given.to if given else "partner"
    return AwardOut(
        rule=award.rule_id,
        to=to,
        level=given.level if given else None,
        partner_id=None if to == "customer" or award.partner_id == NOBODY else award.partner_id,
        amount=award.amount,
        currency=award.currency,
        base=award.base,
        rate_bps=award.rate_bps,
    )
