"""Programs, partners and terms for the fold's tests: plain worlds and made-up ones."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from app.core.attribution_terms import SHARING
from app.core.plans import Plan, parse, parse_agreement
from app.core.qualification import Qualified
from app.core.world import CodeFact, Dated, EnrollmentFact, LinkFact, PlanFact, ProgramFact, World

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
HEARD = START + timedelta(days=100)
"""After all that happens in a story."""
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

PROGRAMS = tuple(UUID(int=0xA0 + n) for n in range(2))
PARTNERS = tuple(UUID(int=0xB0 + n) for n in range(3))
LINKS = {
    UUID(int=0xC0 + 3 * p + q): (program, partner)
    for p, program in enumerate(PROGRAMS)
    for q, partner in enumerate(PARTNERS)
}
UNKNOWN_LINK = UUID(int=0xCF)
CODES = {
    UUID(int=0xE0): ("SPRING", PROGRAMS[0], PARTNERS[1]),
    UUID(int=0xE1): ("WINTER", PROGRAMS[1], PARTNERS[2]),
}
CODE_NAMES = ("SPRING", "WINTER", "stripe:promo_1")
"""The last one is SPRING for a while."""
REFERRERS = {"a:ben": PARTNERS[0], "a:dan": PARTNERS[2]}
"""Customers who are partners."""
CURRENCIES = ("eur", "jpy", "kwd")
"""Two, no and three decimals."""

_CODE_FIRST = "code,binding,deal,referrer,click"
_CLICK_FIRST = "click,code,binding,deal,referrer"
PRECEDENCES: tuple[tuple[Dated, ...], ...] = (
    (),
    (),
    (Dated(LONG_AGO, _CODE_FIRST),),
    (Dated(LONG_AGO, _CLICK_FIRST), Dated(START + timedelta(days=20), _CODE_FIRST)),
    (Dated(START + timedelta(days=10), f"{_CODE_FIRST},{PROGRAMS[1]}"),),
)

RULES: dict[str, dict[str, Any]] = {
    "new": {"match": {"new": True, "kind": "sale"}, "pay": {"percent_bps": 3_000}},
    "early": {"match": {"kind": "renewal"}, "pay": {"percent_bps": 500, "months": 2}},
    "flat": {"pay": {"flat": {"amount": 777, "currency": "jpy"}}, "match": {"countries": ["DE"]}},
    "lead": {"match": {"kind": "lead"}, "pay": {"flat": {"amount": 200, "currency": "eur"}}},
    "clicked": {"when": 'touch.kind == "click"', "pay": {"percent_bps": 1_700}},
    "coded": {"when": 'touch.code == "SPRING"', "pay": {"percent_bps": 1_900}},
    "base": {"pay": {"percent_bps": 1_111, "months": 3}},
    "capped": {
        "pay": {"percent_bps": 2_500},
        "cap": {"per": "customer", "amount": {"amount": 40, "currency": "eur"}, "period": "month"},
    },
    "twice": {"pay": {"percent_bps": 900}, "cap": {"per": "customer", "count": 2}, "adds": True},
    "bonus": {"match": {"nth": 2}, "pay": {"flat": {"amount": 50, "currency": "eur"}}},
    "two": {"pay": {"percent_bps": 1_300, "payments": 2, "per": "line"}},
    "valued": {"when": "customer.value > 50 && sale.payment > 1", "pay": {"percent_bps": 1_500}},
    "gold": {"match": {"tiers": ["gold"]}, "pay": {"percent_bps": 2_700}},
    "certified": {"when": "partner.certified && program.days > 0", "pay": {"percent_bps": 2_100}},
    "fifth": {"pay": {"percent_bps": 2_000}},
}


QUALIFIED: tuple[tuple[Qualified, ...], ...] = (
    (),
    (Qualified(LONG_AGO, "gold", certified=True, certified_until=None, agreement="v1"),),
    (
        Qualified(LONG_AGO, "", certified=True, certified_until=START, agreement=""),
        Qualified(START + timedelta(days=20), "gold", True, None, "v1"),
    ),
)
OWN_TERMS: tuple[PlanFact, ...] = (
    PlanFact(
        id=UUID(int=0xF0),
        version=1,
        effective_from=START + timedelta(hours=12),
        plan=parse_agreement(
            {
                "combine": "sum",
                "gates": {"agreement": True},
                "rules": [{"id": "base", "pay": {"percent_bps": 3_333, "months": 2}}],
            }
        ),
        effective_until=START + timedelta(days=40),
    ),
)
"""One partner's, in a program; each decision tells of whom it is."""


@st.composite
def worlds(draw: st.DrawFn, *, hold_days: Sequence[int] = (0, 120)) -> World:
    """Two programs with up to two plan versions, three partners in both, now and then paused."""
    programs = {}
    for n, program in enumerate(PROGRAMS):
        versions = [
            PlanFact(
                id=UUID(int=0xD0 + 2 * n + v),
                version=v + 1,
                effective_from=START + timedelta(days=20) if v else None,
                plan=draw(_plans(hold_days)),
            )
            for v in range(draw(st.sampled_from((1, 1, 2))))
        ]
        programs[program] = ProgramFact(program, draw(_states()), tuple(versions))
    enrollments = {
        (program, partner): EnrollmentFact(
            program,
            partner,
            draw(_countries()),
            draw(_states()),
            draw(st.sampled_from(QUALIFIED)),
            draw(st.sampled_from(((), (), (), OWN_TERMS))),
        )
        for program in PROGRAMS
        for partner in PARTNERS
    }
    return World(
        links={i: LinkFact(i, *whose) for i, whose in LINKS.items()},
        programs=programs,
        enrollments=enrollments,
        codes={i: CodeFact(i, *whose, draw(_validity())) for i, whose in CODES.items()},
        code_names=_code_names(),
        referrers=REFERRERS,
        precedence=draw(st.sampled_from(PRECEDENCES)),
    )


def world_of(*plans: Plan) -> World:
    """A world without accidents: each program has one plan and all partners, always active."""
    active = (Dated(LONG_AGO, "active"),)
    programs = {
        program: ProgramFact(program, active, (PlanFact(UUID(int=0xD0 + 2 * n), 1, None, plan),))
        for n, (program, plan) in enumerate(zip(PROGRAMS, plans, strict=False))
    }
    return World(
        links={i: LinkFact(i, *whose) for i, whose in LINKS.items() if whose[0] in programs},
        programs=programs,
        enrollments={
            (program, partner): EnrollmentFact(program, partner, (), active)
            for program in programs
            for partner in PARTNERS
        },
    )


@lru_cache(maxsize=1_000)
def plan_with(
    *rules: str,
    hold_days: int = 30,
    late_days: int = 1,
    model: str = "last_click",
    window: int = 60,
    binding: tuple[int, bool] = (0, False),
    combine: str = "first_match",
    windows: tuple[tuple[str, int], ...] = (),
    **attribution: Any,
) -> Plan:
    """A plan of named rules of the pool. attribution: more of its terms. binding: its months, 0
    for life, and whether it ends when its partners are suspended.
    """
    months, ends = binding
    if windows:
        attribution = {**attribution, "windows": dict(windows)}
    if model == "time_decay":
        attribution = {"half_life_days": 7, **attribution}
    return parse(
        {
            "hold_days": hold_days,
            "late_days": late_days,
            "attribution": {"model": model, "window_days": window, **attribution},
            "binding": {
                **({"months": months} if months else {}),
                **({"ends": ["suspended"]} if ends else {}),
            },
            "combine": combine,
            "rules": [{"id": rule, **RULES[rule]} for rule in rules],
        }
    )


@st.composite
def _plans(draw: st.DrawFn, hold_days: Sequence[int]) -> Plan:
    return plan_with(
        *draw(
            st.sampled_from(
                (
                    ("base",),
                    ("new", "lead", "early"),
                    ("flat", "clicked", "coded"),
                    ("lead", "clicked", "base"),
                    ("new", "base", "early"),
                    ("valued", "capped", "twice"),
                    ("two", "twice", "bonus", "base"),
                    ("gold", "certified", "lead", "base"),
                )
            )
        ),
        hold_days=draw(st.sampled_from(hold_days)),
        late_days=draw(st.sampled_from((1, 2))),
        model=draw(st.sampled_from(("last_click", "first_click", *sorted(SHARING)))),
        window=draw(st.sampled_from((5, 60))),
        binding=draw(st.sampled_from(((0, False), (0, False), (1, False), (0, True), (2, True)))),
        combine=draw(st.sampled_from(("first_match", "first_match", "best", "sum"))),
        windows=draw(st.sampled_from(((), (("self_reported", 40),)))),
    )


def _states() -> st.SearchStrategy[tuple[Dated, ...]]:
    always = (Dated(LONG_AGO, "active"),)
    interrupted = (
        *always,
        Dated(START + timedelta(hours=12), "paused"),
        Dated(START + timedelta(days=40), "active"),
    )
    return st.sampled_from((always, always, always, always, interrupted))


def _validity() -> st.SearchStrategy[tuple[Dated, ...]]:
    always = (Dated(LONG_AGO, "active"),)
    return st.sampled_from((always, (*always, Dated(START + timedelta(days=20), "ended"))))


def _code_names() -> dict[str, tuple[Dated, ...]]:
    names = {code: (Dated(LONG_AGO, str(i)),) for i, (code, _, _) in CODES.items()}
    spring = next(iter(CODES))
    promo = (Dated(LONG_AGO, str(spring)), Dated(START + timedelta(days=40), ""))
    return {**names, "stripe:promo_1": promo}


def _countries() -> st.SearchStrategy[tuple[Dated, ...]]:
    always = (Dated(LONG_AGO, "AT"),)
    return st.sampled_from(((), always, (*always, Dated(START + timedelta(days=10), "DE"))))


def terms(world: World) -> Iterable[str]:
    for i, program in world.programs.items():
        for version in program.plans:
            p = version.plan
            rules = " ".join(rule.id for rule in p.rules)
            yield (
                f"  program {i.int:x} v{version.version} hold={p.hold_days} late={p.late_days}"
                f" {p.attribution} {p.binding} rules={rules} states={len(program.states)}"
            )
    for (program_id, partner), enrollment in world.enrollments.items():
        if len(enrollment.states) > 1:
            yield f"  {partner.int:x} in {program_id.int:x} is paused for a while"
