"""What the touches of a batch lead to: links, programs with their terms, enrollments."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Self, assert_never
from uuid import UUID

import asyncpg
import orjson

from app.conversions import referrals, upline
from app.conversions.dated import dated_facts
from app.conversions.qualified import Pair, asked, qualified
from app.core.conversions import Conversion
from app.core.events import (
    ClickTouch,
    CodeTouch,
    DealTouch,
    Event,
    InvalidToken,
    Reassigned,
    ReferrerTouch,
    SelfReportedTouch,
    Touch,
)
from app.core.plans import Plan, parse, parse_agreement
from app.core.world import Dated, EnrollmentFact, LinkFact, PlanFact, ProgramFact, World


@dataclass(slots=True)
class Wanted:
    """What events and conversions lead to.

    codes: by name. partners: who is said to have referred; people: customers who are, by the
    digests of aliases. bound: whom recorded conversions credit, since a later one may follow
    them without a touch, who registered the customer as a lead, and to
    whom it was given.
    """

    links: set[UUID] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    partners: set[UUID] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    bound: set[Pair] = field(default_factory=set)

    def add(self, events: Iterable[Event], conversions: Iterable[Conversion]) -> Self:
        for event in events:
            for touch in event.touches:
                self.add_touch(touch)
            body = event.body
            if isinstance(body, Reassigned) and body.program_id and body.partner_id:
                self.bound.add((body.program_id, body.partner_id))
        for conversion in conversions:
            if conversion.program_id:
                self.bound |= {(conversion.program_id, c.partner_id) for c in conversion.credits}
        return self

    def add_touch(self, touch: Touch) -> None:
        match touch:
            case ClickTouch():
                self.links.add(touch.link_id)
            case CodeTouch():
                self.codes.add(touch.code)
            case ReferrerTouch(partner_id, person):
                self.partners |= {partner_id} if partner_id else set()
                self.people |= {person} if person else set()
            case DealTouch():
                self.bound.add((touch.program_id, touch.partner_id))
            case SelfReportedTouch(partner_id, code):
                self.partners |= {partner_id} if partner_id else set()
                self.codes |= {code} if code else set()
            case InvalidToken():
                pass
            case _:
                assert_never(touch)


@dataclass(frozen=True, slots=True)
class Everything:
    """A batch's world. owners: by partner, the customer who it is."""

    world: World
    owners: Mapping[UUID, UUID] = field(default_factory=dict)


async def gather(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    wanted: Wanted,
    tried: Mapping[UUID, PlanFact] = MappingProxyType({}),
) -> Everything:
    """Everything that touches lead to in this workspace, and the pairs that customers are bound to.

    Another workspace's link is left out, like one that never was; likewise codes and partners.
    tried: by program, a version that asks too, though it is not in force.
    """
    links = await _links(driver, workspace, wanted.links)
    codes, code_names = await referrals.codes_named(driver, workspace, wanted.codes)
    referrers = await referrals.referrers(driver, workspace, wanted.people)
    referring = wanted.partners | set(referrers.values())
    pairs = {(link.program_id, link.partner_id) for link in links.values()} | wanted.bound
    pairs |= {(code.program_id, code.partner_id) for code in codes.values()}
    pairs |= await referrals.places(driver, workspace, referring)
    if not pairs:
        return Everything(World(links, {}, {}))
    programs, agreements = await _programs(driver, workspace, pairs)
    asking = {i: _with(fact, tried.get(i)) for i, fact in programs.items()} if tried else programs
    above = await upline.gather(driver, workspace, pairs, asking, agreements)
    if behind := set(above.pairs - pairs):
        # Theirs pay nothing of it; but what is stored of a partner is whole, wherever it stands.
        agreements |= (await _programs(driver, workspace, behind))[1]
        pairs |= behind
    dated = await dated_facts(driver, workspace, pairs)
    had = await qualified(driver, workspace, asked(pairs, asking, agreements))
    world = World(
        links=links,
        programs=programs,
        enrollments={
            pair: EnrollmentFact(
                *pair,
                countries=tuple(dated.countries[pair[1]]),
                states=tuple(dated.places[pair]),
                qualified=had.get(pair, ()),
                agreements=agreements.get(pair, ()),
            )
            for pair in sorted(pairs)
            if pair in dated.places
        },
        codes=codes,
        code_names=code_names,
        referrers=referrers,
        precedence=tuple(dated.precedence),
        recruiters=above.recruiters,
        companies=above.companies,
    )
    return Everything(world, dated.owners)


def _with(program: ProgramFact, version: PlanFact | None) -> ProgramFact:
    return replace(program, plans=(*program.plans, version)) if version else program


def part_for(everything: Everything, wanted: Wanted, customers: set[UUID]) -> World:
    """What of a batch's world concerns one customer. customers: all ids that it goes by."""
    whole = everything.world
    links = {i: whole.links[i] for i in sorted(wanted.links) if i in whole.links}
    names = {n: whole.code_names[n] for n in sorted(wanted.codes) if n in whole.code_names}
    meant = sorted({UUID(dated.state) for n in names.values() for dated in n if dated.state})
    referrers = {p: whole.referrers[p] for p in sorted(wanted.people) if p in whole.referrers}
    referring = wanted.partners | set(referrers.values())
    pairs = {(link.program_id, link.partner_id) for link in links.values()} | wanted.bound
    pairs |= {(whole.codes[i].program_id, whole.codes[i].partner_id) for i in meant}
    if referring:
        pairs |= {pair for pair in whole.enrollments if pair[1] in referring}
    above = upline.part_for(whole, pairs)
    ordered = sorted(pairs | above.pairs)
    return World(
        links=links,
        programs={program: whole.programs[program] for program, _ in ordered},
        enrollments={p: whole.enrollments[p] for p in ordered if p in whole.enrollments},
        codes={i: whole.codes[i] for i in meant},
        code_names=names,
        referrers=referrers,
        selves=frozenset([p for _, p in ordered if everything.owners.get(p) in customers]),
        precedence=whole.precedence,
        recruiters=above.recruiters,
        companies=above.companies,
    )


@lru_cache(maxsize=10_000)
def compiled(_plan_version: UUID, document: bytes, *, is_agreement: bool = False) -> Plan:
    """A published plan, compiled once a process."""
    return (parse_agreement if is_agreement else parse)(orjson.loads(document))


def compiled_fact(row: Mapping[str, Any]) -> PlanFact:
    """A row of plan_versions as the core takes it; of a program's, partner_id and effective_until
    may be left out.
    """
    is_agreement = row.get("partner_id") is not None
    plan = compiled(row["id"], orjson.dumps(row["document"]), is_agreement=is_agreement)
    until = row.get("effective_until")
    return PlanFact(row["id"], row["version"], row["effective_from"], plan, until)


async def _links(
    driver: "asyncpg.Connection[Any]", workspace: UUID, links: Iterable[UUID]
) -> dict[UUID, LinkFact]:
    rows = await driver.fetch(
        "SELECT id, program_id, partner_id FROM links WHERE workspace_id = $1 AND id = ANY($2)",
        workspace,
        sorted(links),
    )
    return {r["id"]: LinkFact(r["id"], r["program_id"], r["partner_id"]) for r in rows}


async def _programs(
    driver: "asyncpg.Connection[Any]", workspace: UUID, pairs: set[Pair]
) -> tuple[dict[UUID, ProgramFact], dict[Pair, tuple[PlanFact, ...]]]:
    """Programs with their terms, and the own terms of those of the partners who have any."""
    programs, partners = sorted({p for p, _ in pairs}), sorted({p for _, p in pairs})
    states: dict[UUID, list[Dated]] = defaultdict(list)
    for row in await driver.fetch(
        "SELECT program_id, since, state FROM program_states"
        " WHERE workspace_id = $1 AND program_id = ANY($2) ORDER BY since",
        workspace,
        programs,
    ):
        states[row["program_id"]].append(Dated(row["since"], row["state"]))
    plans: dict[UUID, list[PlanFact]] = defaultdict(list)
    own: dict[Pair, list[PlanFact]] = defaultdict(list)
    for row in await driver.fetch(
        "SELECT id, program_id, partner_id, version, document, effective_from, effective_until"
        " FROM plan_versions"
        " WHERE workspace_id = $1 AND program_id = ANY($2) AND published_at IS NOT NULL"
        " AND (partner_id IS NULL OR partner_id = ANY($3))"
        " ORDER BY effective_from NULLS FIRST, version",
        workspace,
        programs,
        partners,
    ):
        program, partner = row["program_id"], row["partner_id"]
        (own[program, partner] if partner else plans[program]).append(compiled_fact(row))
    return (
        {i: ProgramFact(i, tuple(states[i]), tuple(plans[i])) for i in programs},
        {pair: tuple(versions) for pair, versions in own.items() if pair in pairs},
    )
