"""Canonical JSON of what a decision knew of the world."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from app.conversions.canon import Json, instant
from app.core.qualification import Qualified
from app.core.world import (
    CodeFact,
    Dated,
    EnrollmentFact,
    LinkFact,
    PlanFact,
    ProgramFact,
    World,
)


def world_json(world: World) -> Json:
    """What a decision knew of links, terms and enrollments; plans by the id of their version.

    Codes, referrers, a workspace's own precedence, what single partners have or agreed upon, and
    who is behind them stand there only where there are some.
    """
    return {
        "links": {
            str(link.id): [str(link.program_id), str(link.partner_id)]
            for link in world.links.values()
        },
        "programs": {
            str(program.id): {
                "states": _states_json(program.states),
                "plans": [str(plan.id) for plan in program.plans],
            }
            for program in world.programs.values()
        },
        "enrollments": [
            [
                str(e.program_id),
                str(e.partner_id),
                _states_json(e.countries),
                _states_json(e.states),
            ]
            for e in world.enrollments.values()
        ],
        **(_seldom(world) if _has_more(world) else {}),
    }


_MORE: Final = attrgetter(
    *[f.name for f in fields(World) if f.name not in {"links", "programs", "enrollments"}]
)


def _has_more(world: World) -> bool:
    """Whether any of `_seldom` is there: most decisions should not pay for looking it through."""
    places = world.enrollments.values()
    return any(_MORE(world)) or any(place.qualified or place.agreements for place in places)


def _seldom(world: World) -> Json:
    """What stands there only where there is some."""
    told = {
        "codes": {
            str(code.id): [
                code.code,
                str(code.program_id),
                str(code.partner_id),
                _states_json(code.states),
            ]
            for code in world.codes.values()
        },
        "code_names": {name: _states_json(states) for name, states in world.code_names.items()},
        "referrers": {person: str(partner) for person, partner in world.referrers.items()},
        "selves": sorted(map(str, world.selves)),
        "precedence": _states_json(world.precedence),
        "qualified": [
            [*map(str, pair), [_qualified_json(one) for one in place.qualified]]
            for pair, place in world.enrollments.items()
            if place.qualified
        ],
        "agreements": [
            [*map(str, pair), [str(own.id) for own in place.agreements]]
            for pair, place in world.enrollments.items()
            if place.agreements
        ],
        "recruiters": [
            [*map(str, pair), str(recruiter)] for pair, recruiter in world.recruiters.items()
        ],
        "companies": {
            str(partner): _states_json(states) for partner, states in world.companies.items()
        },
    }
    return {name: facts for name, facts in told.items() if facts}


def world_of(stored: Json, plans: Mapping[UUID, PlanFact]) -> World:
    """The world that `world_json` wrote. plans: all versions that it names."""
    links = {
        UUID(i): LinkFact(UUID(i), UUID(program), UUID(partner))
        for i, (program, partner) in stored["links"].items()
    }
    programs = {
        UUID(i): ProgramFact(
            UUID(i),
            _states_of(program["states"]),
            tuple(plans[UUID(plan)] for plan in program["plans"]),
        )
        for i, program in stored["programs"].items()
    }
    qualified = {
        (program, partner): tuple(_qualified_of(one) for one in states)
        for program, partner, states in stored.get("qualified", [])
    }
    agreements = {
        (program, partner): tuple(plans[UUID(own)] for own in owns)
        for program, partner, owns in stored.get("agreements", [])
    }
    enrollments = {
        (UUID(program), UUID(partner)): EnrollmentFact(
            UUID(program),
            UUID(partner),
            _states_of(countries),
            _states_of(states),
            qualified.get((program, partner), ()),
            agreements.get((program, partner), ()),
        )
        for program, partner, countries, states in stored["enrollments"]
    }
    codes = {
        UUID(i): CodeFact(UUID(i), code, UUID(program), UUID(partner), _states_of(states))
        for i, (code, program, partner, states) in stored.get("codes", {}).items()
    }
    names = {n: _states_of(states) for n, states in stored.get("code_names", {}).items()}
    return World(
        links=links,
        programs=programs,
        enrollments=enrollments,
        codes=codes,
        code_names=names,
        referrers={p: UUID(partner) for p, partner in stored.get("referrers", {}).items()},
        selves=frozenset(map(UUID, stored.get("selves", []))),
        precedence=_states_of(stored.get("precedence", [])),
        recruiters={
            (UUID(program), UUID(partner)): UUID(recruiter)
            for program, partner, recruiter in stored.get("recruiters", [])
        },
        companies={UUID(i): _states_of(s) for i, s in stored.get("companies", {}).items()},
    )


def _qualified_json(one: Qualified) -> list[object]:
    until = one.certified_until and instant(one.certified_until)
    return [instant(one.since), one.tier, one.certified, until, one.agreement]


def _qualified_of(stored: list[Any]) -> Qualified:
    since, tier, certified, until, agreement = stored
    ends = until and datetime.fromisoformat(until)
    return Qualified(datetime.fromisoformat(since), tier, certified, ends, agreement)


def _states_json(states: tuple[Dated, ...]) -> list[list[object]]:
    return [[instant(dated.since), dated.state] for dated in states]


def _states_of(stored: list[list[str]]) -> tuple[Dated, ...]:
    return tuple(Dated(datetime.fromisoformat(since), state) for since, state in stored)
