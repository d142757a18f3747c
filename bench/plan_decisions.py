"""Decisions of the core alone, one process: sales folded by a plan of ten rules, in turn with the
same plan read and compiled anew for every sale, and with the fold of a plan of one rule.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import orjson
from asyncpg.pgproto import pgproto

from app import collector
from app.core import conditions
from app.core.commission import rule_on
from app.core.drafts import History
from app.core.events import ClickTouch, Event, Payment
from app.core.fold import fold
from app.core.plans import Plan, parse
from app.core.world import Dated, EnrollmentFact, LinkFact, PlanFact, ProgramFact, World
from bench.rules import ten_rules
from bench.table import table
from tests.core.made_sales import SALE
from tests.core.made_worlds import HEARD, LONG_AGO, START

_ROUNDS: Final = 7
_SALES: Final = 5_000
_PLAIN: Final = 200
_COUNTRIES: Final = ("DE", "US", "FR", "BR", "")
_PARTNERS: Final = 50


async def main(_url: str) -> None:
    collector.calm()  # as the worker does
    document = orjson.dumps(ten_rules())
    histories = [_customer(number) for number in range(_SALES)]
    ten = _world(_parsed(document))
    one = _world(_parsed(orjson.dumps({**ten_rules(), "rules": ten_rules()["rules"][-1:]})))
    contenders: dict[str, Callable[[], int]] = {
        "Finderfee, whole decisions": lambda: _fold_all(histories, ten),
        "Finderfee, one rule": lambda: _fold_all(histories, one),
        "Finderfee, the ten rules alone": lambda: _rule_all(_parsed(document)),
        "plain: the ten rules, compiled for each sale": lambda: _compile_all(document),
    }
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(_ROUNDS):
        order = list(contenders.items())
        for name, run in order[number % 4 :] + order[: number % 4]:
            rates[name].append(_rate(run))
    ours = statistics.median(rates["Finderfee, whole decisions"])
    print(
        table(
            ("", "decisions/s", "whole decisions are", "rounds"),
            [
                (
                    name,
                    f"{statistics.median(found):,.0f}",
                    f"{ours / statistics.median(found):.2f} ×",
                    " ".join(f"{rate:,.0f}" for rate in found),
                )
                for name, found in rates.items()
            ],
        )
    )


def _rate(run: Callable[[], int]) -> float:
    """Per second of this process' own computing, so that its neighbours don't count."""
    began = time.process_time()
    return run() / (time.process_time() - began)


def _fold_all(histories: Sequence[History], world: World) -> int:
    for history in histories:
        fold(history, _own(world, history))
    return len(histories)


def _rule_all(plan: Plan) -> int:
    for _ in range(_SALES):
        rule_on(plan, SALE)
    return _SALES


def _compile_all(document: bytes) -> int:
    for _ in range(_PLAIN):
        conditions.compile_condition.cache_clear()
        rule_on(_parsed(document), SALE)
    return _PLAIN


def _parsed(document: bytes) -> Plan:
    read: dict[str, Any] = orjson.loads(document)
    return parse(read)


def _id(kind: int, number: int = 0) -> pgproto.UUID:
    """As the database's driver gives it."""
    return pgproto.UUID(f"{kind:08x}-0000-7000-8000-{number:012x}")


def _world(plan: Plan) -> World:
    """A program with fifty partners, each with a link."""
    program, active = _id(1), (Dated(LONG_AGO, "active"),)
    partners = [(_id(2, number), _id(3, number)) for number in range(_PARTNERS)]
    return World(
        links={link: LinkFact(link, program, partner) for link, partner in partners},
        programs={program: ProgramFact(program, active, (PlanFact(_id(4), 1, None, plan),))},
        enrollments={
            (program, partner): EnrollmentFact(program, partner, (), active)
            for _, partner in partners
        },
    )


def _own(world: World, history: History) -> World:
    """What of it concerns one customer, as a decision gets it."""
    click = history.events[0].touches[0]
    assert isinstance(click, ClickTouch)
    link = world.links[click.link_id]
    place = (link.program_id, link.partner_id)
    enrollments = {place: world.enrollments[place]}
    return World({link.id: link}, world.programs, enrollments)


def _customer(number: int) -> History:
    """Someone who clicked and bought."""
    at = START + timedelta(minutes=number)
    click = ClickTouch(
        click_id=_id(5, number),
        link_id=_id(2, number % _PARTNERS),
        traffic_class="human",
        at=at - timedelta(hours=2),
    )
    sold = Event(
        id=_id(6, number),
        source="api",
        external_id=f"invoice-{number}",
        kind="payment",
        occurred_at=at,
        received_at=at,
        body=Payment(1, 100_00 + number * 7, 100_00 + number * 7, "usd"),
        people=(f"a:{number}",),
        payments=(f"own::invoice:{number}",),
        touches=(click,),
        country=_COUNTRIES[number % 5],
    )
    return History(_id(7), (sold,), (), HEARD, HEARD)
