"""`/v1/plans/lint` and `/v1/plans/{id}/lint`: what is wrong with a plan before it is published."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Final, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from app.auth import Caller, ReadDep, Scope, needs
from app.conversions.trials import tried
from app.conversions.trials.sampled import MOST_SALES, sampled
from app.core.lint import lint, linted
from app.core.lint_findings import SEVERITIES, Finding, Limits, Severity
from app.core.money import BPS
from app.core.plans import PlanError, parse
from app.db.tx import Read
from app.errors import NotFound
from app.openapi import documented
from app.terms import PlanDocument
from app.wire import In, Out, PlanId, ProgramId

router: Final = APIRouter(prefix="/plans", tags=["Programs and plans"])
Reader = Annotated[Caller, Depends(needs(Scope.PROGRAMS_READ))]
_USUAL: Final = Limits()
Rate = Annotated[int, Field(strict=True, ge=0, le=10 * BPS)]
Sample = Annotated[int, Field(ge=0, le=MOST_SALES)]


class LintIn(In):
    """A document that need not be a plan yet. program_id: whose currency and sales it is held
    against; sample: how many of its latest sales. rate_limit_bps: of one rule, total_limit_bps: of
    all that pay for one sale: above these a rate is told as a mistake.
    """

    plan: PlanDocument
    program_id: ProgramId | None = None
    sample: Annotated[Sample, Field(strict=True)] = MOST_SALES
    rate_limit_bps: Rate = _USUAL.rate_bps
    total_limit_bps: Rate = _USUAL.total_bps


class FindingOut(Out):
    """place, related: JSON pointers into the plan. line, column: within a condition."""

    severity: Severity
    code: str = Field(examples=["shadowed"])
    place: str = Field(examples=["/rules/2"])
    problem: str
    remedy: str
    related: str | None
    line: int | None
    column: int | None


class LintOut(Out):
    """findings: the worst first. valid: whether it is a plan at all. sampled_sales: how many real
    sales its conditions were tried on.
    """

    valid: bool
    errors: int
    warnings: int
    notes: int
    sampled_sales: int
    findings: list[FindingOut]

    @classmethod
    def of(cls, findings: tuple[Finding, ...], sampled_sales: int) -> Self:
        ordered = sorted(findings, key=lambda found: SEVERITIES.index(found.severity))
        counts = [sum(f.severity == severity for f in findings) for severity in SEVERITIES]
        return cls(
            valid=all(found.code != "refused" for found in findings),
            errors=counts[0],
            warnings=counts[1],
            notes=counts[2],
            sampled_sales=sampled_sales,
            findings=[FindingOut(**asdict(found)) for found in ordered],
        )


@router.post("/lint", responses=documented(NotFound))
async def lint_plan(body: LintIn, caller: Reader, read: ReadDep) -> LintOut:
    """Everything that is wrong or odd in a plan, also in what is none yet. Nothing is stored."""
    currency = ""
    if body.program_id is not None:
        currency = await tried.currency(
            read, caller.workspace_id, body.program_id, "body/program_id"
        )
    limits = Limits(rate_bps=body.rate_limit_bps, total_bps=body.total_limit_bps)
    # A large plan takes a second or two, in which others want to be redirected.
    findings = await asyncio.to_thread(lint, body.plan, currency=currency, limits=limits)
    try:
        plan = parse(body.plan)
    except PlanError:
        return LintOut.of(findings, 0)
    if body.program_id is None:
        return LintOut.of(findings, 0)
    sample = await sampled(read, caller.workspace_id, body.program_id, plan, body.sample)
    return LintOut.of((*findings, *sample.findings), sample.sales)


@router.get("/{plan_id}/lint")
async def lint_version(
    plan_id: PlanId,
    caller: Reader,
    read: ReadDep,
    sample: Annotated[Sample, Query()] = MOST_SALES,
) -> LintOut:
    """Everything that is odd in a version, a draft too."""
    return await _linted(read, caller.workspace_id, plan_id, sample)


async def _linted(read: Read, workspace: UUID, plan_id: UUID, most: int) -> LintOut:
    found = await tried.version(read, workspace, plan_id)
    currency = await tried.currency(read, workspace, found.program_id)
    findings = await asyncio.to_thread(linted, found.plan, currency=currency)
    if found.partner_id is not None:
        # One partner's own terms say nothing of how long money is held, and are for few sales.
        return LintOut.of(findings, 0)
    sample = await sampled(read, workspace, found.program_id, found.plan, most)
    return LintOut.of((*findings, *sample.findings), sample.sales)
