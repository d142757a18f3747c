"""Touches of a message, from what it says to their stored form and back."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as WireUUID  # noqa: N811 (built in C, from text)

from app.conversions.providers.mapping import Mapped
from app.core import click_token, codes
from app.core.events import (
    ClickTouch,
    CodeTouch,
    DealTouch,
    InvalidToken,
    ReferrerTouch,
    SelfReportedTouch,
    Touch,
)
from app.core.identity import person_name


def touches_of(meaning: Mapped, click_keys: Sequence[bytes]) -> Iterator[Touch]:
    """Clicks whose tokens verify have their own times; what was told has the message's."""
    for position, text in enumerate(meaning.click_ids):
        yield _click(position, text, click_keys)
    at = meaning.occurred_at
    for code in dict.fromkeys(map(codes.normal, meaning.codes)):
        yield CodeTouch(code, at)
    for referrer in dict.fromkeys(meaning.referrers):
        if isinstance(referrer, UUID):
            yield ReferrerTouch(referrer, "", at)
        else:
            yield ReferrerTouch(None, person_name(referrer.namespace, referrer.external_id), at)
    yield from meaning.deals
    for said in dict.fromkeys(meaning.self_reported):
        if isinstance(said, UUID):
            yield SelfReportedTouch(said, "", at)
        else:
            yield SelfReportedTouch(None, codes.normal(said), at)


def touch_json(touch: Touch) -> dict[str, Any]:
    match touch:
        case InvalidToken(position):
            return {"invalid": position}
        case ClickTouch():
            return {
                "click_id": str(touch.click_id),
                "link_id": str(touch.link_id),
                "traffic_class": touch.traffic_class,
                "at": _instant(touch.at),
            }
        case CodeTouch(code, at):
            return {"code": code, "at": _instant(at)}
        case ReferrerTouch(partner_id, person, at):
            partner = str(partner_id) if partner_id else None
            return {"referrer": partner, "person": person, "at": _instant(at)}
        case SelfReportedTouch(partner_id, code, at):
            partner = str(partner_id) if partner_id else None
            return {"self_reported": partner, "code": code, "at": _instant(at)}
        case DealTouch():
            return {
                "deal": str(touch.deal_id),
                "number": touch.number,
                "program_id": str(touch.program_id),
                "partner_id": str(touch.partner_id),
                "at": _instant(touch.at),
                "until": _instant(touch.until) if touch.until else None,
            }


def touch_of(stored: Mapping[str, Any]) -> Touch:
    """The touch that `touch_json` wrote."""
    if "invalid" in stored:
        return InvalidToken(stored["invalid"])
    at = datetime.fromisoformat(stored["at"])
    if "self_reported" in stored:
        partner = stored["self_reported"]
        return SelfReportedTouch(UUID(partner) if partner else None, stored["code"], at)
    if "code" in stored:
        return CodeTouch(stored["code"], at)
    if "referrer" in stored:
        partner = stored["referrer"]
        return ReferrerTouch(UUID(partner) if partner else None, stored["person"], at)
    if "deal" in stored:
        until = stored["until"]
        return DealTouch(
            deal_id=UUID(stored["deal"]),
            number=stored["number"],
            program_id=UUID(stored["program_id"]),
            partner_id=UUID(stored["partner_id"]),
            at=at,
            until=datetime.fromisoformat(until) if until else None,
        )
    return ClickTouch(
        click_id=WireUUID(stored["click_id"]),
        link_id=WireUUID(stored["link_id"]),
        traffic_class=stored["traffic_class"],
        at=at,
    )


def _click(position: int, text: str, click_keys: Sequence[bytes]) -> Touch:
    token = click_token.verify(text, click_keys)
    if token is None:
        return InvalidToken(position)
    return ClickTouch(token.click_id, token.link_id, token.traffic_class, token.at)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
