"""Raw bytes, read again as on the day they came."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError

from app.conversions.canon import Json
from app.conversions.intake.understood import mapped_json
from app.conversions.providers.mapping import Mapped
from app.conversions.providers.registry import PROVIDERS
from app.conversions.requests import BY_TYPE


@dataclass(frozen=True, slots=True)
class Raw:
    """A stored body and what was known when it came. provider: `api` for our own routes."""

    provider: str
    type: str
    body: bytes
    live: bool
    received_at: datetime
    occurred_at: datetime
    program_ids: tuple[UUID, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    with_tax: bool = False
    joins_email: bool = False


def read_again(raw: Raw) -> Json | None:
    """The canonical event without its clicks, whose tokens only the keys of that day verify."""
    if raw.provider == "api":
        try:
            # A request without a time of its own was given that of its arrival.
            meaning = BY_TYPE[raw.type].model_validate_json(raw.body).mapped(raw.occurred_at)
        except (ValidationError, KeyError):
            return None
    else:
        reading = PROVIDERS[raw.provider].read(
            raw.body,
            live=raw.live,
            received_at=raw.received_at,
            with_tax=raw.with_tax,
            headers=raw.headers,
        )
        if not isinstance(reading, Mapped):
            return None
        meaning = reading
    again = mapped_json(meaning, (), raw.program_ids, joins_email=raw.joins_email)
    return without_clicks(again)


def without_clicks(event: Json) -> Json:
    """An event in canonical form, with what was told of whom it came from."""
    told = [t for t in event["touches"] if "click_id" not in t and "invalid" not in t]
    return {**event, "touches": told}
