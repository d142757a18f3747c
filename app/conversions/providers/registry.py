"""The billing systems that we understand, by the name in `POST /v1/sources`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

from app.conversions.providers import stripe
from app.conversions.providers.mapping import Meaning


class Verify(Protocol):
    """Whether one of the secrets signed the body, at a time near now."""

    def __call__(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: datetime
    ) -> bool: ...


class Read(Protocol):
    """What the body means; any bytes give an answer.

    live: the workspace's mode; what is of the other one is ignored. with_tax: whether commissions
    are worked out on amounts with their tax.
    """

    def __call__(
        self, body: bytes, *, live: bool, received_at: datetime, with_tax: bool = False
    ) -> Meaning: ...


@dataclass(frozen=True, slots=True)
class Provider:
    """One billing system. event_types: what to switch on there. secret_form: what its secret
    looks like, told to whoever makes a source.
    """

    verify: Verify
    read: Read
    event_types: tuple[str, ...]
    is_secret: Callable[[str], bool]
    secret_form: str


PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(
    {
        "stripe": Provider(
            verify=stripe.verify,
            read=stripe.read,
            event_types=stripe.EVENT_TYPES,
            is_secret=lambda secret: secret.startswith("whsec_"),
            secret_form="the endpoint's signing secret, `whsec_…`",  # noqa: S106 (a description)
        ),
    }
)
