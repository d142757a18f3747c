"""Made-up histories of a few customers, for the properties of the fold.

A Story is a world and events without receipts: `heard` gives them an order of arrival. Small
pools of times, people and payments make ties, joins and merged sales frequent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from app.core.events import (
    Body,
    ClickTouch,
    CodeTouch,
    Dispute,
    Event,
    InvalidToken,
    Lead,
    Line,
    Named,
    Payment,
    Reassigned,
    ReferrerTouch,
    Refund,
    RefundTotal,
    SelfReportedTouch,
    Subscribed,
    Tie,
    Touch,
)
from app.core.world import World
from tests.core.briefly import brief
from tests.core.made_worlds import (
    CODE_NAMES,
    CURRENCIES,
    HEARD,
    LINKS,
    PARTNERS,
    PROGRAMS,
    START,
    UNKNOWN_LINK,
    terms,
    worlds,
)


@dataclass(frozen=True, slots=True)
class Story:
    world: World
    events: tuple[Event, ...]

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 (Hypothesis calls it)
        """Short enough to read when a property fails."""
        printer.text("\n".join(("", *map(brief, self.events), *terms(self.world))))


def heard(
    events: Iterable[Event], *, since: datetime = HEARD, every: timedelta = timedelta(minutes=20)
) -> list[Event]:
    """Events with receipts in the given order, and ids that tell the same."""
    return [
        replace(
            event,
            received_at=since + n * every,
            id=UUID(int=(int(since.timestamp()) << 64) + n),
        )
        for n, event in enumerate(events)
    ]


@st.composite
def stories(draw: st.DrawFn, *, hold_days: Sequence[int] = (0, 120)) -> Story:
    """One to about twelve events of up to three people. hold_days: what plans may say."""
    told = _Teller(draw)
    for n in range(draw(st.integers(0, 3))):
        told.payment(n)
    for _ in range(draw(st.integers(0, 3))):
        told.person_news()
    for _ in range(draw(st.integers(0, 2))):
        told.join()
    for _ in range(draw(st.sampled_from((0, 0, 0, 0, 1, 2)))):
        told.reassign()
    if not told.events:
        told.person_news()
    return Story(draw(worlds(hold_days=hold_days)), tuple(told.events.values()))


class _Teller:
    """Draws events one by one; two with one key are one, as in the inbox."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.events: dict[tuple[str, str], Event] = {}

    def tell(self, body: Body, **more: Any) -> Event:
        kind = _KINDS[type(body)]
        source = more.pop("source", None) or self.draw(st.sampled_from(("api", "src")))
        taken = {external_id for _, external_id in self.events}
        free = [x for n in range(100) if (x := f"x{n:02}") not in taken]
        external_id = more.pop("external_id", None) or self.draw(st.sampled_from(free))
        at = more.pop("at", None) or self.at()
        touches = tuple(
            replace(t, at=at) if isinstance(t, CodeTouch | ReferrerTouch | SelfReportedTouch) else t
            for t in more.pop("touches", ())
        )
        event = Event(
            id=UUID(int=0),
            source=source,
            external_id=external_id,
            kind=kind,  # type: ignore[arg-type]
            occurred_at=at,
            received_at=HEARD,
            body=body,
            touches=touches,
            **more,
        )
        return self.events.setdefault((source, external_id), event)

    def at(self) -> datetime:
        days, seconds = st.sampled_from((0, 0, 1, 31, 63)), st.sampled_from((0, 0, 1, 6))
        return START + timedelta(days=self.draw(days), seconds=self.draw(seconds))

    def people(self, least: int = 1, most: int = 1) -> tuple[str, ...]:
        names = st.sampled_from(("a:ann", "a:ben", "a:cat"))
        return tuple(self.draw(st.lists(names, min_size=least, max_size=most, unique=True)))

    def touches(self) -> tuple[Touch, ...]:
        return tuple(self.touch() for _ in range(self.draw(st.sampled_from((0, 0, 1, 1, 2)))))

    def touch(self) -> Touch:
        which = self.draw(st.integers(0, 11))
        if which == 0:
            return InvalidToken(0)
        if which in {1, 2}:
            return CodeTouch(self.draw(st.sampled_from((*CODE_NAMES, "NOBODYS"))), START)
        if which == 3:
            partner = self.draw(st.sampled_from((None, *PARTNERS)))
            person = "" if partner else self.draw(st.sampled_from(("a:ann", "a:ben", "a:dan")))
            return ReferrerTouch(partner, person, START)
        if which == 4:
            partner = self.draw(st.sampled_from((None, *PARTNERS)))
            code = "" if partner else self.draw(st.sampled_from(("SPRING", "NOBODYS")))
            return SelfReportedTouch(partner, code, START)
        link = self.draw(st.sampled_from((*LINKS, *LINKS, UNKNOWN_LINK)))
        days = self.draw(st.sampled_from((-30, -30, -3, -1, -1, 0, 1, 31)))
        seconds = self.draw(st.sampled_from((0, 0, 5, 6)))
        traffic = self.draw(st.sampled_from(("human",) * 5 + ("duplicate", "bot")))
        at = START + timedelta(days=days, seconds=seconds)
        number = (link.int << 40) + ((days + 50) << 8) + (seconds << 4) + len(traffic)
        return ClickTouch(UUID(int=number), link, traffic, at)

    def person_news(self) -> None:
        """A lead, or names with touches."""
        people, touches = self.people(), self.touches()
        country = self.draw(st.sampled_from(("", "", "DE", "FR")))
        if self.draw(st.booleans()):
            name = self.draw(st.sampled_from(("lead", "demo")))
            self.tell(
                Lead(name),
                source="api",
                external_id=f"lead:{people[0]}:{name}",
                people=people,
                touches=touches,
                country=country,
            )
        else:
            self.tell(Named(), people=people, touches=touches, country=country)

    def join(self) -> None:
        self.tell(Named(), people=self.people(2, 3))

    def reassign(self) -> None:
        program = self.draw(st.sampled_from(PROGRAMS))
        partner = self.draw(st.sampled_from((None, *PARTNERS)))
        author = UUID(int=0xF0)
        self.tell(Reassigned(program if partner else None, partner, author), people=self.people())

    def payment(self, n: int) -> None:
        """One payment as one to three messages tell it, their ties, and its refunds."""
        draw = self.draw
        keys = _keys(n)
        gross = draw(st.sampled_from((1, 7, 99, 1_000, 11_900, 10**13)))
        currency = draw(st.sampled_from(CURRENCIES))
        subscription = draw(st.sampled_from(("", "s::subscription:1", "s::subscription:2")))
        buyer = self.people()
        told = draw(st.lists(st.sampled_from((3, 2, 1)), min_size=1, max_size=3, unique=True))
        for authority in told:
            base = gross if authority != 3 else gross * 100 // 119
            self.tell(
                Payment(
                    authority=authority,
                    gross=gross,
                    base=base,
                    currency=currency,
                    lines=(Line("pro", base, 1),) if authority == 3 else (),
                    subscription=subscription if authority == 3 else "",
                    settled=draw(st.integers(0, 9)) == 9,
                ),
                people=buyer if draw(st.integers(0, 5)) else self.people(),
                payments=self.named((keys[_NAMED_BY[authority]],), keys),
                touches=self.touches(),
                program_ids=draw(st.sampled_from(((),) * 5 + (PROGRAMS[:1],))),
            )
        for _ in range(draw(st.sampled_from((0, 1, 1, 2)))):
            other = keys if draw(st.integers(0, 7)) else _keys((n + 1) % 3)
            subscribed = draw(st.integers(0, 2)) == 0
            body = Subscribed("s::subscription:1") if subscribed else Tie()
            self.tell(body, payments=self.named((draw(st.sampled_from(keys)),), other))
        for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
            self.refund(n, gross, currency)
        for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
            self.dispute(n, gross, currency)

    def refund(self, n: int, gross: int, currency: str) -> None:
        draw = self.draw
        amount = draw(st.sampled_from((gross, max(1, gross // 3), max(1, gross // 2), 1)))
        if draw(st.integers(0, 9)) == 0:
            currency = "usd"
        keys = (draw(st.sampled_from(_keys(n))),)
        people = self.people() if draw(st.integers(0, 9)) == 0 else ()
        if draw(st.integers(0, 2)) == 0:
            total = RefundTotal(amount, currency, dated=draw(st.booleans()))
            self.tell(total, payments=keys, people=people)
            return
        refund = Refund(
            f"r{n}{draw(st.integers(0, 1))}", amount, currency, counts=draw(st.integers(0, 3)) > 0
        )
        first = self.tell(refund, payments=keys, people=people)
        then = draw(st.sampled_from(("", "", "fails", "echoes")))
        if then:
            again = replace(refund, counts=False) if then == "fails" else refund
            at = first.occurred_at if then == "echoes" or draw(st.booleans()) else None
            self.tell(again, payments=keys, at=at)

    def dispute(self, n: int, gross: int, currency: str) -> None:
        """One to three states of one dispute."""
        draw = self.draw
        amount = draw(st.sampled_from((gross, max(1, gross // 3), 1)))
        if draw(st.integers(0, 9)) == 0:
            currency = "usd"
        keys = (draw(st.sampled_from(_keys(n))),)
        people = self.people() if draw(st.integers(0, 9)) == 0 else ()
        states = st.sampled_from(("open", "open", "won", "lost"))
        for state in draw(st.lists(states, min_size=1, max_size=3)):
            body = Dispute(f"d{n}", amount, currency, state)  # type: ignore[arg-type]
            self.tell(body, payments=keys, people=people)

    def named(self, own: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
        more = self.draw(st.lists(st.sampled_from(others), max_size=2, unique=True))
        return tuple(dict.fromkeys((*own, *more)))


_KINDS: dict[type, str] = {
    Lead: "lead",
    Payment: "payment",
    Tie: "tie",
    Subscribed: "subscribed",
    Refund: "refund",
    RefundTotal: "refund_total",
    Dispute: "dispute",
    Named: "named",
    Reassigned: "reassigned",
}
_NAMED_BY = {3: 0, 2: 2, 1: 1}


def _keys(n: int) -> tuple[str, ...]:
    """What a payment may be called: invoice, payment intent, session, charge."""
    kinds = ("invoice", "payment_intent", "session", "charge")
    return tuple(f"src::{kind}:{n}" for kind in kinds)
