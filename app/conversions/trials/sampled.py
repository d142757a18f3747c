"""What conditions hide, looked up: a plan's rules tried on the latest sales of its program.

Each customer is folded as always, by a variant of the plan in which every rule is tried and pays
nothing; what the rules then say of themselves is counted.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.conversions import surroundings
from app.conversions.facts import known
from app.conversions.surroundings import Everything, Wanted
from app.core.drafts import History
from app.core.events import Event
from app.core.fold import fold
from app.core.gates import OPEN
from app.core.lint_findings import Finding, rule_place
from app.core.pays import Percent
from app.core.plans import Plan
from app.core.reasons import Reason
from app.core.rules import Rule
from app.core.world import PlanFact, World
from app.db.tx import Read

MOST_SALES: Final = 500
_MOST_EVENTS: Final = 200
"""Of one customer; whoever has more is left out."""
_AT_ONCE: Final = 4
_FEW: Final = 20
"""Of so few sales that a condition holds for all or none of them nothing follows."""


@dataclass(slots=True)
class Sample:
    """sales: how many were looked at. Counts by the rule's id."""

    sales: int = 0
    held: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    errors: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


async def sampled(read: Read, workspace: UUID, program_id: UUID, plan: Plan, most: int) -> Sample:
    """Conditions that never held, always held or failed, and rules that matched nothing."""
    sample = Sample()
    if most == 0 or not plan.rules:
        return sample
    driver = await read.driver()
    sales = await _latest(driver, workspace, program_id, most)
    people = await known(driver, workspace, sorted(set(sales.values())))
    histories = {who: list(person.events.values()) for who, person in people.items()}
    few = {who: events for who, events in histories.items() if len(events) <= _MOST_EVENTS}
    wanted = Wanted()
    for events in few.values():
        wanted.add(events, ())
    everything = await surroundings.gather(driver, workspace, wanted)
    for n, (who, events) in enumerate(sorted(few.items())):
        world = _world(everything, who, events, program_id)
        if world is not None:
            own = {sale for sale, customer in sales.items() if customer == who}
            _try(sample, workspace, events, world, (program_id, plan), own)
        if n % _AT_ONCE == 0:
            await asyncio.sleep(0)
    sample.findings = tuple(_findings(sample, plan))
    return sample


async def _latest(
    driver: "asyncpg.Connection[Any]", workspace: UUID, program_id: UUID, most: int
) -> dict[UUID, UUID]:
    """The latest conversions of the program, each with its customer."""
    rows = await driver.fetch(
        "SELECT id, customer_id FROM conversions WHERE workspace_id = $1 AND program_id = $2"
        " AND superseded_by IS NULL ORDER BY occurred_at DESC, id DESC LIMIT $3",
        workspace,
        program_id,
        most,
    )
    return {row["id"]: row["customer_id"] for row in rows}


def _world(
    everything: Everything, who: UUID, events: Sequence[Event], program_id: UUID
) -> World | None:
    world = surroundings.part_for(everything, Wanted().add(events, ()), {who})
    return world if program_id in world.programs else None


def _try(
    sample: Sample,
    workspace: UUID,
    events: Sequence[Event],
    world: World,
    tried: tuple[UUID, Plan],
    sales: set[UUID],
) -> None:
    """Count what each rule says of a customer's sales. One that fails stops the others: then they
    are tried again without it.
    """
    program_id, plan = tried
    left = [_bare(rule) for rule in plan.rules]
    last = max(event.occurred_at for event in events)
    counted: set[tuple[UUID, str]] = set()
    sample.sales += len(sales)
    while left:
        bare = replace(plan, rules=tuple(left), combine="sum", gates=OPEN)
        program = replace(world.programs[program_id], plans=(PlanFact(program_id, 0, None, bare),))
        here = replace(world, programs={**world.programs, program_id: program})
        history = History(workspace, tuple(events), (), last, last)
        stopped: set[str] = set()
        for conversion in fold(history, here).conversions:
            if conversion.id in sales and conversion.program_id == program_id:
                stopped |= _count(sample, conversion.id, conversion.reasons, counted)
        if not stopped:
            return
        left = [rule for rule in left if rule.id not in stopped]


def _count(
    sample: Sample, sale: UUID, reasons: Sequence[Reason], counted: set[tuple[UUID, str]]
) -> set[str]:
    """The rules that could not be worked out."""
    stopped: set[str] = set()
    for reason in reasons:
        rule = str(reason.params.get("rule", ""))
        count: Mapping[str, Counter[str]] = {
            "rounds_to_zero": sample.held,
            "rule_condition_false": sample.false,
            "rule_failed": sample.failed,
            "lines_missing": sample.failed,
        }
        if reason.code not in count:
            continue
        if reason.code in {"rule_failed", "lines_missing"}:
            stopped.add(rule)
            sample.errors[rule] = str(reason.params.get("error", "not all lines are known"))
        if (sale, rule) not in counted:
            counted.add((sale, rule))
            count[reason.code][rule] += 1
    return stopped


def _bare(rule: Rule) -> Rule:
    """The rule as far as it looks at one sale, paying nothing, so that it stops nobody."""
    match = replace(rule.match, min_amount=None, reaches=None)
    pay = replace(rule.pay, how=Percent(0), per="sale", reward=None)
    return replace(rule, match=match, pay=pay, cap=None, adds=False)


def _findings(sample: Sample, plan: Plan) -> list[Finding]:
    found: list[Finding] = []
    for i, rule in enumerate(plan.rules):
        held, false, failed = (c[rule.id] for c in (sample.held, sample.false, sample.failed))
        tried = held + false + failed
        place = rule_place(i, "when") if rule.when else rule_place(i, "match")
        of = f"{tried} of the latest {sample.sales} sales and leads that its match fits"
        if failed:
            problem = f"could not be worked out for {failed} of {of}: {sample.errors[rule.id]}"
            remedy = "Exclude such sales by match, or ask for the fact first."
            found.append(Finding("warning", "sample_failed", place, problem, remedy))
        if sample.sales < _FEW:
            continue
        if not tried:
            problem = f"fits none of the latest {sample.sales} sales and leads of the program"
            remedy = "Leave it if such sales are still to come."
            found.append(Finding("note", "sample_never_matched", place, problem, remedy))
        elif rule.when and tried >= _FEW and held in {0, tried}:
            code = "sample_always_held" if held else "sample_never_held"
            problem = f"{'always' if held else 'never'} held for {of}"
            found.append(
                Finding("note", code, place, problem, "Look whether the condition says it right.")
            )
    return found
