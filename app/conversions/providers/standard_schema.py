"""Our own event schema for senders of Standard Webhooks: six types, fields as `/v1/track/*` has.

`python -m app.conversions.providers.standard_schema` prints it as JSON Schema.
"""

import re
import sys
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BeforeValidator, Field, StringConstraints, TypeAdapter

from app.conversions.providers.mapping import Contact, Mapped
from app.conversions.providers.shapes import distinct
from app.conversions.providers.track import OWN, invoice_key, own_aliases, subscription_key
from app.conversions.requests import (
    AliasIn,
    LeadIn,
    RefundIn,
    SaleIn,
)
from app.conversions.who_brought import Clicked, CodeText, ReferrerIn
from app.core.events import Churn, Dispute, Named
from app.wire import Amount, Country, Currency, Email, ExternalId, In, Instant

_NANOSECONDS: Final = re.compile(r"(\.[0-9]{6})[0-9]{1,3}(?=[Zz+-])")


def _whole_microseconds(value: object) -> object:
    """Some languages write nine places of a second; six are kept."""
    return _NANOSECONDS.sub(r"\1", value, count=1) if isinstance(value, str) else value


SentAt = Annotated[Instant, BeforeValidator(_whole_microseconds)]


class DisputeIn(In):
    """A chargeback of a sale, again for each new state. amount: what is disputed, minor units."""

    dispute_id: ExternalId
    invoice_id: ExternalId
    amount: Annotated[Amount, Field(ge=1)]
    currency: Currency
    state: Literal["open", "won", "lost"]
    occurred_at: Instant | None = None

    def mapped(self, sent_at: datetime) -> Mapped:
        return Mapped(
            external_id="",
            kind="dispute",
            occurred_at=self.occurred_at or sent_at,
            body=Dispute(
                dispute_id=f"{OWN}::dispute:{self.dispute_id}",
                amount=self.amount,
                currency=self.currency,
                state=self.state,
            ),
            payments=(invoice_key(self.invoice_id),),
        )


class CancellationIn(In):
    """A subscription ended."""

    subscription_id: ExternalId
    customer_external_id: ExternalId
    customer_aliases: Annotated[list[AliasIn], Field(max_length=20)] = []  # noqa: RUF012
    occurred_at: Instant | None = None

    def mapped(self, sent_at: datetime) -> Mapped:
        others = tuple(alias.alias() for alias in self.customer_aliases)
        return Mapped(
            external_id="",
            kind="churn",
            occurred_at=self.occurred_at or sent_at,
            body=Churn(subscription_key(self.subscription_id)),
            contact=Contact(own_aliases(self.customer_external_id, others)),
        )


class CustomerIn(Clicked):
    """What became known of a customer: names, clicks, a code, a country. Nothing was bought."""

    customer_external_id: ExternalId = Field(examples=["user-17"])
    customer_aliases: Annotated[list[AliasIn], Field(max_length=20)] = []  # noqa: RUF012
    code: CodeText | None = None
    referrer: ReferrerIn | None = None
    customer_email: Email | None = None
    customer_name: Annotated[str, StringConstraints(max_length=200)] = ""
    customer_country: Country | None = None
    occurred_at: Instant | None = None

    def mapped(self, sent_at: datetime) -> Mapped:
        others = tuple(alias.alias() for alias in self.customer_aliases)
        return Mapped(
            external_id="",
            kind="named",
            occurred_at=self.occurred_at or sent_at,
            body=Named(),
            click_ids=distinct(self.tokens),
            codes=(self.code,) if self.code else (),
            referrers=(self.referrer.named,) if self.referrer else (),
            country=self.customer_country or "",
            contact=Contact(
                own_aliases(self.customer_external_id, others),
                email=self.customer_email or "",
                name=self.customer_name,
            ),
        )


class _Message(In):
    """livemode: only for a sender that has both; else a message is of its source's workspace."""

    timestamp: SentAt
    livemode: bool | None = None


class LeadMessage(_Message):
    """A sign-up or another step before money."""

    type: Literal["lead"]
    data: LeadIn


class SaleMessage(_Message):
    """A paid invoice; another one of the same subscription is a renewal."""

    type: Literal["sale"]
    data: SaleIn


class RefundMessage(_Message):
    """Money that went back."""

    type: Literal["refund"]
    data: RefundIn


class DisputeMessage(_Message):
    """A chargeback, in its newest state."""

    type: Literal["dispute"]
    data: DisputeIn


class CancellationMessage(_Message):
    """A subscription ended."""

    type: Literal["subscription.canceled"]
    data: CancellationIn


class CustomerMessage(_Message):
    """News of a customer."""

    type: Literal["customer"]
    data: CustomerIn


Message = (
    LeadMessage
    | SaleMessage
    | RefundMessage
    | DisputeMessage
    | CancellationMessage
    | CustomerMessage
)

MESSAGES: Final[Mapping[str, type[Message]]] = MappingProxyType(
    {
        "lead": LeadMessage,
        "sale": SaleMessage,
        "refund": RefundMessage,
        "dispute": DisputeMessage,
        "subscription.canceled": CancellationMessage,
        "customer": CustomerMessage,
    }
)


def json_schema() -> dict[str, Any]:
    """What a body must be, as JSON Schema."""
    union: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])
    schema = union.json_schema()
    # A dialect of OpenAPI; each type says its own word as a constant.
    del schema["discriminator"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events that Finderfee takes from any sender of Standard Webhooks",
        **schema,
    }


def schema_text() -> str:
    """The schema as `docs/standard-webhooks.schema.json` holds it."""
    return orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2).decode() + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
