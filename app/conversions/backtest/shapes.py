"""What a back-test looks like on the wire."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Self
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row

from app.conversions.backtest.compare import CUSTOMERS
from app.sentences import ReasonOut
from app.wire import BacktestId, ConversionId, In, Instant, Out, PartnerId, PlanId, ProgramId

FIGURES: Final = ("present_awarded", "present_reversed", "tried_awarded", "tried_reversed")


class BacktestCreate(In):
    """Sales that happened from `from` on and before `to`; not in the future."""

    from_: Instant = Field(alias="from")
    to: Instant


class BacktestSumOut(Out):
    """Money in one currency, minor units, or pieces of one unit.

    present: by the terms in force; tried: by the version. awarded: before refunds and lost
    disputes; reversed: what these took back of it. difference: what is left by the version less
    what is left by the terms in force.
    """

    currency: str
    present_awarded: int
    present_reversed: int
    tried_awarded: int
    tried_reversed: int
    difference: int

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        figures = {name: int(getattr(row, name)) for name in FIGURES}
        kept_now = figures["present_awarded"] - figures["present_reversed"]
        kept_then = figures["tried_awarded"] - figures["tried_reversed"]
        return cls(currency=row.currency, **figures, difference=kept_then - kept_now)


class BacktestOut(Out):
    """A version tried on a period. The figures are of the sales done so far.

    sales: leads and sales of the workspace in the period; none known while it is queued.
    sales_otherwise: paid otherwise by the version. sales_unlike: recorded with other amounts than
    the terms in force give when all is decided at once (what came after a close, say).
    """

    id: BacktestId
    program_id: ProgramId
    plan_id: PlanId
    from_: Instant = Field(alias="from")
    to: Instant
    state: Literal["queued", "running", "done", "failed", "canceled"]
    problem: str
    sales: int
    sales_done: int
    sales_otherwise: int
    sales_unlike: int
    totals: list[BacktestSumOut]
    created_at: Instant
    started_at: Instant | None
    finished_at: Instant | None

    @classmethod
    def of(cls, row: Row[Any], totals: Sequence[BacktestSumOut]) -> Self:
        plain = (
            "id", "program_id", "state", "problem", "sales", "sales_done", "sales_otherwise",
            "sales_unlike", "created_at", "started_at", "finished_at",
        )  # fmt: skip
        named = {name: getattr(row, name) for name in plain}
        times = {"from": row.from_at, "to": row.to_at}
        return cls(**named, **times, plan_id=row.plan_version_id, totals=list(totals))


class PartnerSumOut(BacktestSumOut):
    """One partner's part; without a partner, what all customers are given.

    sales: that pay it by either; sales_otherwise: of them, another amount.
    """

    partner_id: PartnerId | None
    sales: int
    sales_otherwise: int

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        own = {name: getattr(row, name) for name in ("sales", "sales_otherwise")}
        partner = None if row.partner_id == CUSTOMERS else row.partner_id
        return cls(**BacktestSumOut.of(row).model_dump(), **own, partner_id=partner)


class SampleAwardOut(Out):
    """What a rule gives a partner for the sale, or without a partner the customer."""

    partner_id: PartnerId | None
    rule: str
    amount: int
    reversed: int
    currency: str


class SampleSideOut(Out):
    """What the sale pays by one of the two, and why."""

    awards: list[SampleAwardOut]
    reasons: list[ReasonOut]

    @classmethod
    def of(cls, side: Mapping[str, Any]) -> Self:
        names = ("partner_id", "rule", "amount", "reversed", "currency")
        awards = []
        for partner, *award in side["awards"]:
            whose = None if UUID(partner) == CUSTOMERS else UUID(partner)
            named = zip(names, (whose, *award), strict=True)
            awards.append(SampleAwardOut(**dict(named)))
        return cls(
            awards=awards,
            reasons=ReasonOut.all_of(side["reasons"]),
        )


class SampleOut(Out):
    """A sale that is paid otherwise."""

    conversion_id: ConversionId
    present: SampleSideOut
    tried: SampleSideOut


class ChangeOut(Out):
    """Sales that are paid otherwise in the same way.

    present: the rules that pay them now, tried: those that would; empty: nobody is paid. `*` in
    both: ways beyond the first hundred.
    """

    currency: str
    present: list[str]
    tried: list[str]
    sales: int
    difference: int
    samples: list[SampleOut]

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls(
            currency=row.currency,
            present=row.present,
            tried=row.tried,
            sales=row.sales,
            difference=int(row.difference),
            samples=[
                SampleOut(
                    conversion_id=UUID(sample["conversion_id"]),
                    present=SampleSideOut.of(sample["present"]),
                    tried=SampleSideOut.of(sample["tried"]),
                )
                for sample in row.samples
            ],
        )
