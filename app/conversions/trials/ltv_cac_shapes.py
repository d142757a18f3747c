"""What `/v1/programs/{id}/ltv-cac` takes and answers."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.conversions.trials.preview_shapes import MadeUpPartnerIn
from app.core.ltv_cac import Step, Verdict
from app.terms import PlanDocument
from app.wire import Amount, Currency, In, Instant, Out, PlanId

_Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
_Bps = Annotated[int, Field(strict=True, ge=0, le=10_000)]


class FiguresIn(In):
    """Figures of one period, in the program's currency. revenue: net of refunds, without tax."""

    revenue: Amount
    customers: _Count
    months: Annotated[int, Field(strict=True, ge=1, le=1_200)]
    new_customers: _Count
    churned: Annotated[int, Field(strict=True, ge=0)] = 0


class IncentiveIn(In):
    """What one new customer costs through it. replaces: what of today's cost it spares."""

    cash: Amount = 0
    non_cash: Amount = 0
    replaces: Amount = 0


class LtvCacIn(In):
    """Either a period of the program's own sales (from, to), or figures.

    acquisition_cost: all that was spent in the period to win customers. lifetime_months: absent:
    1 ÷ churn. incentive: entered; or plan, or plan_id, and it is what that plan pays for a typical
    customer, by a partner with what `partner` says.
    """

    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    figures: FiguresIn | None = None
    margin_bps: _Bps
    acquisition_cost: Amount
    lifetime_months: Annotated[int, Field(strict=True, ge=1, le=1_200)] | None = None
    incentive: IncentiveIn | None = None
    plan: PlanDocument | None = None
    plan_id: PlanId | None = None
    partner: MadeUpPartnerIn = MadeUpPartnerIn()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.from_ is None) != (self.to is None):
            raise ValueError("send from and to together")
        if (self.figures is None) == (self.from_ is None):
            raise ValueError("send figures, or from and to")
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise ValueError("from must be before to")
        if sum(one is not None for one in (self.incentive, self.plan, self.plan_id)) != 1:
            raise ValueError("send one of incentive, plan and plan_id")
        return self


class FiguresOut(Out):
    """months_hundredths: the period's length. other_currencies: sales left out for theirs."""

    revenue: int
    customers: int
    months_hundredths: int
    new_customers: int
    churned: int
    other_currencies: int


class IncentiveOut(Out):
    """sales: of the typical customer for whom a plan was worked out; none if it was entered.

    without_cost: rules whose rewards have no cost, so that they count nothing here.
    """

    cash: int
    non_cash: int
    replaces: int
    sales: int | None
    amount_each: int | None
    without_cost: list[str]


class ReckonedOut(Out):
    """exact: a fraction. value: the same in minor units, or in hundredths of months or of one."""

    name: str = Field(examples=["ltv"])
    formula: str = Field(examples=["arpu × margin × lifetime"])
    unit: Literal["minor_units", "hundredths_of_months", "hundredths"]
    value: int
    exact: str = Field(examples=["250000/3"])

    @classmethod
    def of(cls, step: Step) -> Self:
        # Ratios are cut, so that 3.999 is not shown as the 4 that it misses.
        unit, value = {
            "amount": ("minor_units", round(step.value)),
            "months": ("hundredths_of_months", round(step.value * 100)),
            "ratio": ("hundredths", step.value * 100 // 1),
        }[step.unit]
        return cls(
            name=step.name, formula=step.formula, unit=unit, value=value, exact=str(step.value)
        )


class LtvCacOut(Out):
    """before, after: LTV:CAC in hundredths; none where nothing is spent. room: what one customer
    may cost more until the floor is reached, in minor units; below 0: too much.
    """

    currency: Currency
    floor: int
    before: int | None
    after: int | None
    verdict: Verdict
    room: int | None
    text: str
    figures: FiguresOut
    incentive: IncentiveOut
    steps: list[ReckonedOut]
