"""Any sender of the Standard Webhooks specification, speaking our own event schema.

Leads, sales and refunds have the keys that they have at `/v1/track/*`, so the same sale sent under
another message id is a duplicate, or a contradiction. The rest goes by the message's id.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from app.conversions.providers.mapping import NO_HEADERS, Meaning, body_digest
from app.conversions.providers.reading import ignored, of_other_mode, senseless
from app.conversions.providers.shapes import Node, ShapeError, in_time, root
from app.conversions.providers.standard_schema import MESSAGES

TOLERANCE_S: Final = 300
MESSAGE_ID: Final = "webhook-id"
HEADERS: Final = (MESSAGE_ID,)
EVENT_TYPES: Final = tuple(MESSAGES)
"""What the sender may send."""

_STAMP: Final = re.compile(r"[0-9]{1,12}")
_ID: Final = re.compile(r"[!-~]{1,255}")
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_SECRET: Final = re.compile(r"whsec_([A-Za-z0-9+/]{22,}={0,2})")


def verify(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: datetime
) -> bool:
    """Whether one of the secrets signed id, time and body, within 300 s of now on both sides.

    The header may hold several signatures, and we several secrets: either side may be rolling.
    """
    sent = {name.lower(): text for name, text in headers.items()}
    message, stamp = sent.get(MESSAGE_ID, ""), sent.get("webhook-timestamp", "")
    if (
        not message
        or not _STAMP.fullmatch(stamp)
        or abs(now.timestamp() - int(stamp)) > TOLERANCE_S
    ):
        return False
    signatures = sent.get("webhook-signature", "").split(" ")
    return any(_signed_with(secret, signatures, message, int(stamp), body) for secret in secrets)


def is_secret(text: str) -> bool:
    """`whsec_` and the base64 of 16 bytes or more."""
    found = _SECRET.fullmatch(text)
    return found is not None and len(found.group(1)) % 4 != 1


def read(
    body: bytes,
    *,
    live: bool,
    received_at: datetime,
    with_tax: bool = False,  # noqa: ARG001 (the schema tells amounts without tax)
    headers: Mapping[str, str] = NO_HEADERS,
) -> Meaning:
    """What a stored message means. Never raises: what the schema doesn't allow is Senseless."""
    sent = headers.get(MESSAGE_ID, "")
    message = f"message:{sent}" if _ID.fullmatch(sent) else body_digest(body)
    named = ""
    try:
        document = _document(body)
        named = _type(document)
        if named not in MESSAGES:
            return ignored(message, named)
        told = MESSAGES[named].model_validate(document)
        if told.livemode is not None and told.livemode != live:
            return of_other_mode(message, named, livemode=told.livemode)
        occurred_at = told.data.occurred_at or told.timestamp
        place = ("data", "occurred_at") if told.data.occurred_at else ("", "timestamp")
        in_time(occurred_at, received_at, Node({}, place[0]), place[1])
        dated = told.data.model_copy(update={"occurred_at": occurred_at})
        mapped = dated.mapped(told.timestamp)
        return replace(mapped, external_id=mapped.external_id or message, type=named)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
        return senseless(message, ShapeError(_place(first["loc"]), first["msg"]), named)
    except ShapeError as wrong:
        return senseless(message, wrong, named)


def _signed_with(
    secret: str, signatures: Sequence[str], message: str, stamp: int, body: bytes
) -> bool:
    """By the specification's own library, which signs text: other bytes it can't have signed."""
    try:
        at = datetime.fromtimestamp(stamp, UTC)
        made = Webhook(secret).sign(message, at, body.decode()).encode()
        return any(hmac.compare_digest(made, one.encode()) for one in signatures)
    except (ValueError, EmptyWebhookSecretError):
        return False


def _document(body: bytes) -> dict[str, object]:
    document = root(body).fields
    _refuse_nul(document)
    return document


def _refuse_nul(document: object) -> None:
    """No text column takes one. Without recursion, since bodies may be deep."""
    left = [document]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += (*value, *value.values())
        elif isinstance(value, list):
            left += value
        elif isinstance(value, str) and "\0" in value:
            raise ShapeError("body", "holds a NUL character")


def _type(document: Mapping[str, Any]) -> str:
    found = document.get("type")
    if not isinstance(found, str) or not _WORD.fullmatch(found):
        raise ShapeError("type", "missing" if found is None else "not a word")
    return found


def _place(loc: Sequence[int | str]) -> str:
    """Where it is wrong; a name that the sender made up and that is no word is not repeated."""
    steps = (str(step) for step in loc)
    return ".".join(step if _WORD.fullmatch(step) else "?" for step in steps)
