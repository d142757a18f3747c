"""What a customer buys and has bought, as far as the terms ask for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from app.core import sales
from app.core.commission import Tried
from app.core.conversions import Conversion, ConversionKind
from app.core.events import Event, Line, Payment
from app.core.findings import Findings
from app.core.money import share
from app.core.records import record
from app.core.sale_facts import Earlier
from app.core.sales import Sale
from app.core.tallies import Places
from app.core.units import currency_of

NOBODY: Final = UUID(int=0)
"""A customer who is made up."""


@record
class Sold:
    """What was sold, by the message whose figures win. Amounts in minor units.

    lines: at least one; a sale that tells none is one line of no known product.
    """

    gross: int
    base: int
    currency: str
    quantity: int
    product_ids: tuple[str, ...]
    lines: tuple[Line, ...]
    lines_complete: bool
    subscription: str

    @classmethod
    def of(cls, payment: Payment, subscriptions: Sequence[str] = ()) -> Self:
        """subscriptions: what others than the payment say that it is of, the latest last."""
        products = dict.fromkeys(line.product_id for line in payment.lines if line.product_id)
        return cls(
            gross=payment.gross,
            base=payment.base,
            currency=payment.currency,
            quantity=payment.quantity,
            product_ids=tuple(products),
            lines=payment.lines or (Line("", payment.base, payment.quantity),),
            lines_complete=payment.lines_complete,
            subscription=payment.subscription or (subscriptions[-1] if subscriptions else ""),
        )


@dataclass(slots=True)
class Buyer:
    """What the customer had bought before the conversion at hand; grows as the fold walks on."""

    countries: tuple[tuple[datetime, str], ...]
    id: UUID = NOBODY
    paid: int = 0
    first_paid_at: datetime | None = None
    since: dict[str, datetime] = field(default_factory=dict)
    """First paid sale of each subscription."""
    payments: dict[str, int] = field(default_factory=dict)
    """Paid sales of each subscription."""
    value: dict[str, int] = field(default_factory=dict)
    """Bases of what was paid, by currency."""
    behind: list[tuple[Conversion, Sale | None]] = field(default_factory=list)
    """Conversions that were paid for, with the messages that may take something back."""
    places: Places | None = None
    """Where partners' totals stand before the conversion at hand; None: nothing is tallied."""
    found: Findings | None = None
    """What another fold found."""

    @classmethod
    def of(cls, events: Sequence[Event], customer: UUID, found: Findings | None) -> Self:
        countries = tuple([(e.occurred_at, e.country) for e in events if e.country])
        return cls(countries, customer, found=found)

    def tried_for(self, conversion: UUID, partner: UUID) -> Tried | None:
        """What other terms' rules came to for the partner; None: no others are looked at."""
        return self.found.tried_for(conversion, partner) if self.found else None

    def bought(self, conversion: Conversion, sale: Sale | None) -> None:
        """The conversion now lies behind. sale: all messages about it; none of a lead."""
        if conversion.awards:
            self.behind.append((conversion, sale))
        if conversion.kind == "lead":
            return
        self.paid += 1
        self.first_paid_at = self.first_paid_at or conversion.occurred_at
        self.value[conversion.currency] = self.value.get(conversion.currency, 0) + conversion.base
        if conversion.subscription:
            self.since.setdefault(conversion.subscription, conversion.occurred_at)
            self.payments[conversion.subscription] = self.payments_of(conversion.subscription) + 1

    def payments_of(self, subscription: str) -> int:
        """Paid sales of a subscription; without one, of the customer."""
        return self.payments.get(subscription, 0) if subscription else self.paid

    def earlier(self, program_id: UUID, at: datetime) -> tuple[Earlier, ...]:
        """What the program's rules paid before, by sale and rule, less what had gone back by then.

        What goes back later gives nothing back to this sale, only to those after it.
        """
        found: list[Earlier] = []
        for conversion, sale in self.behind:
            if conversion.program_id != program_id:
                continue
            gone = gone_by(sale, conversion, at) if sale and sale.may_be_reversed else 0
            left: dict[tuple[str, str], int] = {}
            for award in conversion.awards:
                back = share(award.amount, gone, conversion.gross) if gone else 0
                name = award.rule_id, currency_of(award.currency)
                left[name] = left.get(name, 0) + award.amount - back
            found += [
                Earlier(rule, conversion.occurred_at, amount, currency)
                for (rule, currency), amount in left.items()
                if amount > 0
            ]
        return tuple(found)

    def kind_of(self, sold: Sold | None) -> ConversionKind:
        """A renewal is a later paid sale of the same subscription."""
        if sold is None:
            return "lead"
        return "renewal" if sold.subscription and sold.subscription in self.since else "sale"

    def country_at(self, at: datetime) -> str:
        """The last one known by then; before any was known, the first that became known."""
        known = [country for since, country in self.countries if since <= at]
        if known:
            return known[-1]
        return self.countries[0][1] if self.countries else ""


def gone_by(sale: Sale, conversion: Conversion, at: datetime) -> int:
    """Gross of a conversion that refunds and lost disputes had taken back at an instant."""
    then = replace(
        sale,
        refunds=tuple(told for told in sale.refunds if told[0].occurred_at <= at),
        totals=tuple(told for told in sale.totals if told[0].occurred_at <= at),
        disputes=tuple(told for told in sale.disputes if told[0].occurred_at <= at),
    )
    gross, currency = conversion.gross, conversion.currency
    returned = sales.refunded(then, gross=gross, currency=currency)
    disputed = sales.disputed(then, currency=currency)
    return sales.taken_back(then, gross=gross, returned=returned, disputed=disputed)
