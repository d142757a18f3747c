"""What the tests of core and mappers tell while they run, overheard as cases of the corpus.

Each in-memory road of tests/core is a story; each body that tests/contract reads is a message.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import orjson
import pytest

from app.conversions.providers import chargebee, paddle, shopify, standard, stripe
from app.core.fold import ENGINE
from app.core.plans import canonical, canonical_agreement
from app.core.world import PlanFact, World
from tests.core.pure_road import PureRoad
from tests.corpus import cases
from tests.corpus.cases import Json

READERS: Final = {
    "stripe": stripe,
    "chargebee": chargebee,
    "paddle": paddle,
    "shopify": shopify,
    "standard": standard,
}
MAX_MESSAGE: Final = 20_000


class Overheard:
    """A plugin of pytest. keep: of the roads of one test, by its name, the ones to keep."""

    def __init__(self, keep: Callable[[str, int], bool]) -> None:
        self.keep = keep
        self.stories: list[Json] = []
        self.messages: dict[str, Json] = {}
        self._test = ""
        self._seen: dict[str, int] = defaultdict(int)
        self._roads: dict[int, tuple[PureRoad, dict[str, PlanFact]]] = {}
        self._real = PureRoad._decide

    def pytest_sessionstart(self) -> None:
        heard = self

        def decide(road: PureRoad, news: Any, now: datetime) -> Any:
            heard._note(road)
            return heard._real(road, news, now)

        PureRoad._decide = decide  # type: ignore[method-assign, assignment]
        for name, module in READERS.items():
            vars(module)["read"] = self._reader(name, module.read)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        self._test = item.nodeid.removeprefix("tests/")
        yield
        self._tell()

    def _note(self, road: PureRoad) -> None:
        if id(road) not in self._roads:
            self._tell_if_many()
            self._roads[id(road)] = road, {}
        plans = self._roads[id(road)][1]
        for fact in plans_of(road.world):
            plans.setdefault(str(fact.id), fact)

    def _tell_if_many(self) -> None:
        # A property makes thousands: those that are over are told on the way.
        if len(self._roads) > 50:
            last = dict(list(self._roads.items())[-5:])
            for key in last:
                self._roads.pop(key)
            self._tell()
            self._roads = last

    def _tell(self) -> None:
        for road, plans in self._roads.values():
            self._seen[self._test] += 1
            number = self._seen[self._test]
            if road.rows and self.keep(self._test, number):
                story = story_of(f"{self._test} {number}", road, plans)
                if story is not None:
                    self.stories.append(story)
        self._roads.clear()

    def _reader(self, name: str, read: Callable[..., Any]) -> Callable[..., Any]:
        def reading(body: bytes, *, live: bool, received_at: datetime, **how: Any) -> Any:
            self._message(name, body, {"live": live, "received_at": received_at, **how})
            return read(body, live=live, received_at=received_at, **how)

        return reading

    def _message(self, name: str, body: bytes, how: dict[str, Any]) -> None:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return
        message = {
            "provider": name,
            "body": text,
            "live": how["live"],
            "headers": dict(how.get("headers", {})),
            "with_tax": how.get("with_tax", False),
        }
        key = orjson.dumps(message).decode()
        if len(text) > MAX_MESSAGE or key in self.messages:
            return
        number = len(self.messages)
        self.messages[key] = {
            **message,
            "name": f"{self._test} {number}",
            "type": "",
            "received_at": how["received_at"].isoformat(),
            "joins_email": number % 7 == 0,
        }


def plans_of(world: World) -> Iterator[PlanFact]:
    for program in world.programs.values():
        yield from program.plans
    for place in world.enrollments.values():
        yield from place.agreements


def story_of(name: str, road: PureRoad, plans: dict[str, PlanFact]) -> Json | None:
    """None: it can't be told by its facts alone (a test that changes the past)."""
    own = {str(p.id) for e in road.world.enrollments.values() for p in e.agreements}
    worlds: list[Json] = []
    decisions: list[Json] = []
    for row in road.rows:
        facts = orjson.loads(row.facts)
        if facts["engine"] != ENGINE:
            return None
        if facts["world"] not in worlds:
            worlds.append(facts["world"])
        facts["world"] = worlds.index(facts["world"])
        decisions.append(
            {"customer": str(row.customer), "facts": facts, "outcome": row.outcome.hex()}
        )
    story: Json = {
        "name": name,
        "workspace": str(road.workspace),
        "plans": {i: _plan_json(fact, own=i in own) for i, fact in plans.items()},
        "worlds": worlds,
        "decisions": decisions,
        "matured": {},
    }
    people, broken = cases.again(story)
    story["matured"] = cases.matured_after(people.values())
    people, broken = cases.again(story)
    if broken:
        return None
    return {**story, **cases.came(people.values())}


def _plan_json(fact: PlanFact, *, own: bool) -> Json:
    return {
        "version": fact.version,
        "from": fact.effective_from and fact.effective_from.isoformat(),
        "until": fact.effective_until and fact.effective_until.isoformat(),
        "own": own,
        "document": canonical_agreement(fact.plan) if own else canonical(fact.plan),
    }
