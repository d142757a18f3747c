"""`/v1/programs/{id}/ltv-cac`: what an incentive does to LTV:CAC, against the program's floor."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from sqlalchemy import select, text

from app.apart import apart
from app.auth import Caller, ReadDep, Scope, needs
from app.conversions.trials import tried
from app.conversions.trials.ltv_cac_shapes import (
    FiguresOut,
    IncentiveOut,
    LtvCacIn,
    LtvCacOut,
    ReckonedOut,
)
from app.conversions.trials.made_up import NOBODY, Place, lifetime, made_up_partner
from app.conversions.trials.preview import has_of
from app.core.conversions import Award, Given
from app.core.ltv_cac import Figures, Incentive, Verdict, weigh
from app.core.plans import Plan
from app.core.units import PIECES, read_unit
from app.db.tables import Program
from app.db.tx import Read
from app.errors import FieldError, InvalidRequest, NotFound, PlanInvalid
from app.openapi import documented
from app.wire import ProgramId

router: Final = APIRouter(prefix="/programs", tags=["Programs and plans"])
Reader = Annotated[Caller, Depends(needs(Scope.COMMISSIONS_READ))]
MOST_MONTHS: Final = 120
"""Of a customer's lifetime that a plan is worked out for."""
_MONTH_S: Final = 2_629_800
"""A twelfth of 365.25 days."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What figures came from stored sales, beside what is reckoned with."""

    figures: Figures
    other_currencies: int = 0


@router.post("/{program_id}/ltv-cac", responses=documented(PlanInvalid))
async def weigh_incentive(
    program_id: ProgramId, body: LtvCacIn, caller: Reader, read: ReadDep
) -> LtvCacOut:
    """What an incentive does to LTV:CAC, each step shown. Nothing is stored."""
    program = await read.first(
        select(Program.currency, Program.ltv_cac_floor).where(
            Program.workspace_id == caller.workspace_id, Program.id == program_id
        )
    )
    if program is None:
        raise NotFound
    known = await _figures(read, caller.workspace_id, program_id, program.currency, body)
    incentive, told = await _incentive(read, caller, program_id, program.currency, body, known)
    weighed = weigh(known.figures, incentive, program.ltv_cac_floor)
    if isinstance(weighed, str):
        raise _lacking(weighed, body)
    shown = {step.name: ReckonedOut.of(step) for step in weighed.steps}
    before, after = (shown.get(f"ratio_{name}") for name in ("before", "after"))
    figures = known.figures
    return LtvCacOut(
        currency=program.currency,
        floor=program.ltv_cac_floor,
        before=before.value if before else None,
        after=after.value if after else None,
        verdict=weighed.verdict,
        room=shown["room"].value if "room" in shown else None,
        text=_sentence(weighed.verdict, after.value if after else None, program.ltv_cac_floor),
        figures=FiguresOut(
            revenue=figures.revenue,
            customers=figures.customers,
            months_hundredths=round(figures.months * 100),
            new_customers=figures.new_customers,
            churned=figures.churned,
            other_currencies=known.other_currencies,
        ),
        incentive=told,
        steps=list(shown.values()),
    )


async def _figures(
    read: Read, workspace: UUID, program_id: UUID, currency: str, body: LtvCacIn
) -> _Told:
    given, lasts = body.figures, body.lifetime_months
    rest: dict[str, Any] = {
        "acquisition_cost": body.acquisition_cost,
        "margin_bps": body.margin_bps,
        "lifetime_months": None if lasts is None else Fraction(lasts),
    }
    if given is not None:
        months = Fraction(given.months)
        return _Told(Figures(**{**given.model_dump(), "months": months}, **rest))
    assert body.from_ is not None
    assert body.to is not None
    row = (await _sold(read, workspace, program_id, currency, body.from_, body.to))[0]
    months = Fraction(int((body.to - body.from_).total_seconds()), _MONTH_S)
    figures = Figures(
        revenue=max(0, int(row["revenue"])),
        customers=row["customers"],
        months=months,
        new_customers=row["new_customers"],
        churned=row["churned"],
        **rest,
    )
    return _Told(figures, row["other_currencies"])


async def _sold(
    read: Read, workspace: UUID, program_id: UUID, currency: str, begin: datetime, end: datetime
) -> list[dict[str, Any]]:
    """What the program's sales of a period come to, refunds taken off in proportion."""
    statement = text(
        """
        WITH sold AS MATERIALIZED (
          SELECT customer_id, is_new, currency,
            base - CASE WHEN refunded = 0 OR gross = 0 THEN 0
              ELSE round(base::numeric * refunded / gross) END AS net
          FROM conversions
          WHERE workspace_id = :workspace AND program_id = :program AND superseded_by IS NULL
            AND kind <> 'lead' AND occurred_at >= :begin AND occurred_at < :end
        ), buyers AS (
          SELECT DISTINCT customer_id FROM sold WHERE currency = :currency
        )
        SELECT
          coalesce(sum(net) FILTER (WHERE currency = :currency), 0) AS revenue,
          count(DISTINCT customer_id) FILTER (WHERE currency = :currency) AS customers,
          count(DISTINCT customer_id) FILTER (WHERE currency = :currency AND is_new)
            AS new_customers,
          count(*) FILTER (WHERE currency <> :currency) AS other_currencies,
          (
            SELECT count(DISTINCT e.customer_id) FROM buyers b
            JOIN events e ON e.workspace_id = :workspace AND e.customer_id = b.customer_id
            WHERE e.mapped->>'kind' = 'churn' AND e.occurred_at >= :begin AND e.occurred_at < :end
          ) AS churned
        FROM sold
        """
    ).bindparams(workspace=workspace, program=program_id, currency=currency, begin=begin, end=end)
    return await read.dicts(statement)


async def _incentive(
    read: Read, caller: Caller, program_id: UUID, currency: str, body: LtvCacIn, known: _Told
) -> tuple[Incentive, IncentiveOut]:
    entered = body.incentive
    if entered is not None:
        incentive = Incentive(entered.cash, entered.non_cash, entered.replaces)
        told = IncentiveOut(**entered.model_dump(), sales=None, amount_each=None, without_cost=[])
        return incentive, told
    if body.plan_id is not None:
        version = await tried.version(read, caller.workspace_id, body.plan_id)
        if version.program_id != program_id or version.partner_id is not None:
            raise _refused("plan_id", "Not a version of this program's terms", "Send another id.")
        plan = version.plan
    else:
        plan = await apart(partial(tried.parsed, body.plan or {}, "body/plan"))
    workspace = caller.workspace_id
    return await apart(partial(_by_plan, plan, workspace, currency, body, known.figures))


def _by_plan(
    plan: Plan, workspace: UUID, currency: str, body: LtvCacIn, figures: Figures
) -> tuple[Incentive, IncentiveOut]:
    """What a plan pays for a customer who pays the usual revenue each month of its lifetime."""
    unspent = weigh(figures, Incentive(0, 0), 0)
    if isinstance(unspent, str):
        raise _lacking(unspent, body)
    steps = {step.name: step.value for step in unspent.steps}
    sales = max(1, min(round(steps["lifetime"]), MOST_MONTHS))
    amount = max(1, round(steps["arpu"]))
    place = Place(workspace, NOBODY, NOBODY, NOBODY, 0, plan)
    world = made_up_partner(place, *has_of(body.partner))
    folded = lifetime(sales, amount, currency, place, world)
    cash = non_cash = 0
    without: set[str] = set()
    for award in (a for conversion in folded.conversions for a in conversion.awards):
        if not isinstance(award, Given) or read_unit(award.currency).form == "cash":
            cash += award.amount if award.currency == currency else 0
            continue
        cost = _cost(award, currency)
        non_cash += cost or 0
        without |= {award.rule_id} if cost is None else set()
    told = IncentiveOut(
        cash=cash,
        non_cash=non_cash,
        replaces=0,
        sales=sales,
        amount_each=amount,
        without_cost=sorted(without),
    )
    return Incentive(cash, non_cash), told


def _cost(award: Award, currency: str) -> int | None:
    """What a reward that is no cash costs us; None: nobody said it, or not in this currency."""
    unit = read_unit(award.currency)
    if unit.form not in PIECES:
        return award.amount if unit.currency == currency else None
    cost = award.cost if isinstance(award, Given) else None
    return award.amount * cost.amount if cost and cost.currency == currency else None


def _sentence(verdict: Verdict, after: int | None, floor: int) -> str:
    ratio = f"{(after or 0) // 100}.{(after or 0) % 100:02}"
    least = f"{floor // 100}.{floor % 100:02}"
    return {
        "no_cost": "Nothing is spent to win customers, so there is no ratio.",
        "at_floor": f"With it LTV:CAC is {ratio}, which is the floor.",
        "above_floor": f"With it LTV:CAC is {ratio}, above the floor of {least}.",
        "below_floor": f"With it LTV:CAC is {ratio}, below the floor of {least}.",
    }[verdict]


def _lacking(name: str, body: LtvCacIn) -> InvalidRequest:
    if name == "churned":
        remedy = "Send lifetime_months: nobody is known to have left, so churn says nothing."
        return _refused("lifetime_months", "Missing", remedy)
    place = "figures" if body.figures is not None else "from"
    return _refused(place, f"There are no {name.replace('_', ' ')}", "Take a longer period.")


def _refused(place: str, problem: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(errors=[FieldError(f"body/{place}", problem, remedy)])
