"""Reading a payload in one call, for the tests of what payloads mean."""

from collections.abc import Callable
from datetime import UTC, datetime
from inspect import signature
from typing import Any

from app.conversions.providers import stripe
from app.conversions.providers.mapping import Alias, Ignored, Mapped, Meaning, Senseless
from app.core.events import Payment
from tests.contract import stripe_invoices as bills
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import AT, Json, event

NOW = datetime.fromtimestamp(AT, UTC)
TOKEN = "AQ" * 30
CUS = Alias("stripe:", "cus_1")
OWN = Alias("own", "u-1")


def means(payload: Json, *, live: bool = False, received_at: datetime = NOW) -> Meaning:
    return stripe.read(objects.encoded(payload), live=live, received_at=received_at)


def mapped(payload: Json) -> Mapped:
    meaning = means(payload)
    assert isinstance(meaning, Mapped), meaning
    return meaning


def payment(payload: Json) -> Payment:
    body = mapped(payload).body
    assert isinstance(body, Payment), body
    return body


def ignored(payload: Json) -> bool:
    meaning = means(payload)
    return isinstance(meaning, Ignored) and meaning.reason.code == "event_ignored"


def senseless_at(payload: Json) -> str:
    meaning = means(payload)
    assert isinstance(meaning, Senseless), meaning
    assert meaning.external_id == payload["id"]
    assert meaning.reason.params["problem"]
    return str(meaning.reason.params["place"])


def completed(**fields: Any) -> Json:
    """fields: what the builder takes; others are set as they are."""
    return event("checkout.session.completed", _built(objects.checkout_session, fields))


def paid(**fields: Any) -> Json:
    """fields: what the builder takes; others are set as they are."""
    return event("invoice.paid", _built(bills.invoice, fields))


def _built(build: Callable[..., Json], fields: Json) -> Json:
    known = signature(build).parameters
    taken = {name: value for name, value in fields.items() if name in known}
    return build(**taken) | {n: value for n, value in fields.items() if n not in known}
