"""A message about a customer, as its export shows it."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal, Self
from uuid import UUID

from app.conversions.providers.track import OWN_SOURCES
from app.wire import EventId, Instant, Out, SourceId


class ReceivedOut(Out):
    """A message about the customer. understood: what it meant to us; none if nothing.

    state: of the event, or `conflicting` if its key is taken by another message. body: as it was
    received; none once it is erased or past its retention. encoding: of the body in this document.
    """

    id: EventId
    source_id: SourceId | None
    type: str
    external_id: str
    state: str
    occurred_at: Instant | None
    received_at: Instant
    understood: dict[str, Any] | None
    encoding: Literal["utf-8", "base64"] | None
    body: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        encoding, body = _shown(row["body"])
        plain = ("id", "type", "external_id", "state", "occurred_at", "received_at")
        return cls(
            **{name: row[name] for name in plain},
            source_id=None if row["source"] in OWN_SOURCES else UUID(row["source"]),
            understood=row["mapped"],
            encoding=encoding,
            body=body,
        )


def _shown(body: bytes | None) -> tuple[Literal["utf-8", "base64"] | None, str | None]:
    if body is None:
        return None, None
    try:
        return "utf-8", body.decode()
    except UnicodeDecodeError:
        return "base64", b64encode(body).decode()
