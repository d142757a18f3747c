"""What readers of providers have in common: any bytes come in, a Meaning goes out."""

from collections.abc import Callable, Container

from app.conversions.providers.mapping import Ignored, Meaning, Senseless, body_digest
from app.conversions.providers.shapes import Node, ShapeError, root
from app.core.reasons import because


def read_message(
    body: bytes,
    *,
    id_name: str,
    type_name: str,
    types: Container[str],
    read_event: Callable[[Node, str], Meaning],
) -> Meaning:
    """What a JSON message means that bears its id and type itself; never raises ShapeError.

    types: those that are known; another one is not repeated. read_event: takes the message and
    its id.
    """
    try:
        message = root(body)
        external_id = message.needed_id(id_name)
    except ShapeError as wrong:
        return senseless(body_digest(body), wrong)
    try:
        return read_event(message, external_id)
    except ShapeError as wrong:
        named = message.fields.get(type_name)
        known = named if isinstance(named, str) and named in types else ""
        return senseless(external_id, wrong, known)


def senseless(external_id: str, wrong: ShapeError, event_type: str = "") -> Senseless:
    """Signed, but not as documented."""
    reason = because("senseless", place=wrong.place, problem=wrong.problem)
    return Senseless(external_id, reason, event_type)


def ignored(external_id: str, event_type: str) -> Ignored:
    """Understood, and it changes nothing."""
    return Ignored(external_id, because("event_ignored", type=event_type), event_type)


def of_other_mode(external_id: str, event_type: str, *, livemode: bool) -> Ignored:
    """livemode: the message's mode, which is not the workspace's."""
    return Ignored(external_id, because("other_mode", livemode=livemode), event_type)
