"""The billing systems that we understand, by the name in `POST /v1/sources`."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

from app.conversions.providers import chargebee, paddle, shopify, standard, stripe
from app.conversions.providers.mapping import NO_HEADERS, Meaning

_HEADER: Final = re.compile(r"[ -~]{1,255}")


class Verify(Protocol):
    """Whether one of the secrets signed the body, at a time near now."""

    def __call__(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: datetime
    ) -> bool: ...


class Read(Protocol):
    """What a message means; any bytes give an answer.

    live: the workspace's mode; what is of the other one is ignored. with_tax: whether commissions
    are worked out on amounts with their tax. headers: those that were kept beside the body.
    """

    def __call__(
        self,
        body: bytes,
        *,
        live: bool,
        received_at: datetime,
        with_tax: bool = False,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Meaning: ...


class ReadBody(Protocol):
    """As Read, where the body says everything."""

    def __call__(
        self, body: bytes, *, live: bool, received_at: datetime, with_tax: bool = False
    ) -> Meaning: ...


@dataclass(frozen=True, slots=True)
class Provider:
    """One billing system. event_types: what to switch on there. secret_form: what its secret
    looks like, told to whoever makes a source. headers: lower-case names of those that `read`
    needs too, since the body doesn't say what they do. per_site: its ids are of one site there and
    don't say of which, so that a workspace can have one site only.
    """

    verify: Verify
    read: Read
    event_types: tuple[str, ...]
    is_secret: Callable[[str], bool]
    secret_form: str
    headers: tuple[str, ...] = ()
    per_site: bool = False

    def kept(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What is stored beside the body; a value that nobody sends in good faith is left out."""
        if not self.headers:
            return {}
        sent = {name.lower(): text for name, text in headers.items()}
        return {n: sent[n] for n in self.headers if _HEADER.fullmatch(sent.get(n, ""))}


def by_body(read: ReadBody) -> Read:
    """A reader that has no use for headers."""

    def read_body(
        body: bytes,
        *,
        live: bool,
        received_at: datetime,
        with_tax: bool = False,
        headers: Mapping[str, str] = NO_HEADERS,  # noqa: ARG001 (the body says everything)
    ) -> Meaning:
        return read(body, live=live, received_at=received_at, with_tax=with_tax)

    return read_body


PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(
    {
        "stripe": Provider(
            verify=stripe.verify,
            read=by_body(stripe.read),
            event_types=stripe.EVENT_TYPES,
            is_secret=lambda secret: secret.startswith("whsec_"),
            secret_form="the endpoint's signing secret, `whsec_…`",  # noqa: S106 (a description)
        ),
        "chargebee": Provider(
            verify=chargebee.verify,
            read=by_body(chargebee.read),
            event_types=chargebee.EVENT_TYPES,
            is_secret=chargebee.is_secret,
            secret_form="the webhook's `user:password`",  # noqa: S106 (a description)
            per_site=True,
        ),
        "paddle": Provider(
            verify=paddle.verify,
            read=by_body(paddle.read),
            event_types=paddle.EVENT_TYPES,
            is_secret=lambda secret: secret.startswith("pdl_ntfset_"),
            secret_form="the notification destination's secret key, `pdl_ntfset_…`",  # noqa: S106 (a description)
        ),
        "shopify": Provider(
            verify=shopify.verify,
            read=shopify.read,
            event_types=shopify.EVENT_TYPES,
            is_secret=shopify.is_secret,
            secret_form="the app's client secret, or the key shown under Notifications, Webhooks",  # noqa: S106 (a description)
            headers=shopify.HEADERS,
        ),
        "standard": Provider(
            verify=standard.verify,
            read=standard.read,
            event_types=standard.EVENT_TYPES,
            is_secret=standard.is_secret,
            secret_form="the sender's secret, `whsec_` and the base64 of 16 bytes or more",  # noqa: S106 (a description)
            headers=standard.HEADERS,
        ),
    }
)
