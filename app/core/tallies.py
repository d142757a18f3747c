"""What spans customers: partners' running totals in a program, used up in the order of decisions.

What a conversion adds is a pure function of the conversion; a total is the sum over all that stand.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple, Self
from uuid import UUID

from app.core.conversions import Conversion, Given
from app.core.money import BPS, share, slice_bps
from app.core.periods import PERIODS, Period, period_of
from app.core.records import record
from app.core.units import currency_of

SALES: Final = "sales"
"""What a partner's paid sales come to, whatever rule paid for them and whether one did."""

LEADS: Final = "leads"
"""How many leads a partner brought, whether or not a rule paid for them."""

BASE: Final = "base:"
"""What the names begin with of what the sales come to that a rule pays for."""


class TallyKey(NamedTuple):
    """One running total. name: `sales`, `leads`, `rule:` and the id of a rule, for what that rule
    pays the partner, or `base:` and it, for the sales that it pays for. period: by its name.
    currency: of minor units; empty: it counts.
    """

    program_id: UUID
    partner_id: UUID
    name: str
    period: str
    currency: str


Kept = tuple[UUID, str, str]
"""The program, name and period of tallies, whoever's they are."""
Positions = Mapping[TallyKey, int]
"""The totals that a conversion was decided at."""


class Ask(NamedTuple):
    """A total that some terms look at, in each period of a kind."""

    name: str
    period: Period


@record
class Tallies:
    """Totals as they stand before a decision; one that is not there is 0.

    kept: what is tallied at all; None: whatever the terms ask for, in every period.
    """

    totals: Mapping[TallyKey, int] = field(default_factory=dict)
    kept: Collection[Kept] | None = None


ANYTHING: Final = Tallies()
"""All that the terms ask for, from zero on."""


@dataclass(slots=True)
class Places:
    """The totals that one conversion is decided at.

    look: a total before the conversion; None: it is not known. found: those that were looked up.
    unknown: whether one was asked for that is not known.
    """

    look: Callable[[TallyKey], int | None]
    found: dict[TallyKey, int] = field(default_factory=dict)
    unknown: bool = False
    _taken: dict[TallyKey, int] = field(default_factory=dict)

    def total(self, key: TallyKey) -> int:
        """With what the conversion itself has taken so far."""
        before = self.found.get(key)
        if before is None:
            known = self.look(key)
            self.unknown = self.unknown or known is None
            before = self.found[key] = known or 0
        return before + self._taken.get(key, 0)

    def take(self, key: TallyKey, amount: int) -> None:
        """A part of the conversion has used something, which another part of it must not."""
        self._taken[key] = self._taken.get(key, 0) + amount


@record
class Slice:
    """A credited partner's part of a sale, and where totals stand before it.

    before_bps: what was credited to others before. recipient_id: whom the rules at hand pay.
    places: None where nothing is tallied.
    """

    program_id: UUID
    partner_id: UUID
    before_bps: int
    bps: int
    recipient_id: UUID
    places: Places | None

    def of(self, amount: int) -> int:
        """The partner's part of an amount."""
        return slice_bps(amount, self.before_bps, self.bps)

    def paid_to(self, recipient: UUID) -> Self:
        """The same before the rules of another recipient."""
        return self if recipient == self.recipient_id else replace(self, recipient_id=recipient)

    def take(self, rule_id: str, at: datetime, amount: int, currency: str) -> None:
        """A rule pays the recipient for this part; another part may be paid to the same one."""
        if self.places is not None:
            for kind in PERIODS:
                within, name = period_of(at, kind), of_rule(rule_id)
                key = TallyKey(self.program_id, self.recipient_id, name, within, currency)
                self.places.take(key, amount)

    def sales(self, period: str, currency: str = "") -> int:
        """What the partner's sales had come to. currency: empty for how many."""
        return self._total(self.partner_id, SALES, period, currency)

    def leads(self, period: str) -> int:
        """How many leads the partner had brought."""
        return self._total(self.partner_id, LEADS, period, "")

    def paid(self, rule_id: str, period: str, currency: str = "") -> int:
        """What a rule had paid the recipient. currency: empty for how many times."""
        return self._total(self.recipient_id, of_rule(rule_id), period, currency)

    def _total(self, whose: UUID, name: str, period: str, currency: str) -> int:
        if self.places is None:
            return 0
        return self.places.total(TallyKey(self.program_id, whose, name, period, currency))


_NOBODY: Final = UUID(int=0)
WHOLE: Final = Slice(_NOBODY, _NOBODY, 0, BPS, _NOBODY, None)
"""All of a sale, credited to a partner of whom nothing is known."""


def of_rule(rule_id: str) -> str:
    """The name of what a rule pays."""
    return f"rule:{rule_id}"


def base_of(rule_id: str) -> str:
    """The name of what the sales come to that a rule pays for."""
    return f"{BASE}{rule_id}"


def uses_of(conversion: Conversion, named: Iterable[tuple[str, str]]) -> dict[TallyKey, int]:
    """What a conversion adds to tallies, less what went back. named: name and period of each."""
    uses: dict[TallyKey, int] = {}
    if conversion.program_id is None:
        return uses
    for name, period in named:
        told = _used(conversion, name)
        for partner, amount, currency, count in told:
            for unit, used in ((currency, amount), ("", count)):
                key = TallyKey(conversion.program_id, partner, name, period, unit)
                uses[key] = uses.get(key, 0) + used
    return {key: used for key, used in uses.items() if used}


_Use = tuple[UUID, int, str, int]
"""Of whom, how much, in which currency, and how many."""


def _used(conversion: Conversion, name: str) -> Iterable[_Use]:
    if name == SALES:
        return _sales(conversion)
    if name.startswith(BASE):
        return _bases(conversion, name)
    return _leads(conversion) if name == LEADS else _paid(conversion, name)


def _leads(conversion: Conversion) -> Iterable[_Use]:
    """A lead counts whole for each partner who has a share of it; nothing of it goes back."""
    if conversion.kind == "lead":
        for credit in conversion.credits:
            yield credit.partner_id, 0, "", 1


def _sales(conversion: Conversion) -> Iterable[_Use]:
    """Each partner's part of a sale's base; a sale that went back whole counts no more."""
    if conversion.kind == "lead":
        return
    gone, before = conversion.refunded, 0
    for credit in conversion.credits:
        part = slice_bps(conversion.base, before, credit.bps)
        left = part - share(part, gone, conversion.gross) if gone else part
        yield credit.partner_id, left, conversion.currency, int(gone < conversion.gross)
        before += credit.bps


def _bases(conversion: Conversion, name: str) -> Iterable[_Use]:
    """As of all sales, of those for which a rule pays the partner in cash."""
    paid = {
        award.partner_id
        for award in conversion.awards
        if base_of(award.rule_id) == name and not isinstance(award, Given)
    }
    return [use for use in _sales(conversion) if use[0] in paid] if paid else ()


def _paid(conversion: Conversion, name: str) -> Iterable[_Use]:
    """What a rule pays each partner; an award that went back whole counts no more."""
    for award in conversion.awards:
        if of_rule(award.rule_id) == name:
            left = award.amount - award.reversed
            yield award.partner_id, left, currency_of(award.currency), int(left > 0)
