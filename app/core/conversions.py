"""What the fold decides: conversions with their credits, awards and reasons."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.core.money import Money
from app.core.reasons import Reason
from app.core.records import record
from app.core.rewards import Recipient

ConversionKind = Literal["lead", "sale", "renewal"]


@record
class Credit:
    """A partner's share of a conversion; the shares of one conversion sum to 10,000 bps."""

    partner_id: UUID
    bps: int


@record
class Award:
    """What one rule gives one partner. reversed: of the amount, by refunds and lost disputes."""

    commission_id: UUID
    program_id: UUID
    partner_id: UUID
    plan_version_id: UUID
    plan_version: int
    rule_id: str
    base: int
    amount: int
    currency: str
    rate_bps: int | None
    reversed: int
    reasons: tuple[Reason, ...]


@record
class Given(Award):
    """An award that is not the credited partner's cash, so that theirs look as they ever did.

    partner_id: whose it is; of a customer, its id on that day. currency: its unit. cost: of one
    piece to us; None: unknown, or it is money.
    """

    to: Recipient
    level: int | None
    cost: Money | None


@record
class Conversion:
    """A lead, sale or renewal. All amounts in minor units of its currency; a lead has none.

    hold_until: when it closes; None while nobody is credited. recorded_at: when its sale was
    first recorded, under whatever key. bound_at: since when the binding holds that it follows or
    makes; None where a touch went before the binding.
    """

    id: UUID
    key: str
    kind: ConversionKind
    source: str
    new: bool
    occurred_at: datetime
    gross: int
    base: int
    currency: str
    refunded: int
    subscription: str
    program_id: UUID | None
    credits: tuple[Credit, ...]
    awards: tuple[Award, ...]
    reasons: tuple[Reason, ...]
    bound_at: datetime | None
    hold_until: datetime | None
    recorded_at: datetime

    @property
    def read_at(self) -> datetime:
        """As of when the world is read for it: its own time, which a sender's clock may put ahead;
        what is changed after it was recorded must not reach it.
        """
        return min(self.occurred_at, self.recorded_at)
