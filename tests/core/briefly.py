"""Events of made-up histories in a line each, to read when a property fails."""

from dataclasses import fields
from datetime import datetime, timedelta

from app.core.events import ClickTouch, CodeTouch, Event, ReferrerTouch, SelfReportedTouch, Touch
from tests.core.made_worlds import START


def brief(event: Event) -> str:
    """An event in a line; times in days since START."""
    body = ", ".join(
        f"{f.name}={getattr(event.body, f.name)!r}" for f in fields(event.body) if f.name != "lines"
    )
    touches = [_brief_touch(touch) for touch in event.touches]
    names = " ".join((*event.people, *event.payments))
    programs = [f"{program.int:x}" for program in event.program_ids]
    return (
        f"  {_days(event.occurred_at)} {event.kind} {event.source}/{event.external_id} [{names}]"
        f" {body} {touches or ''} {event.country} {programs or ''}"
    )


def _brief_touch(touch: Touch) -> str:
    match touch:
        case ClickTouch():
            return f"{_days(touch.at)} {touch.traffic_class} {touch.link_id.int:x}"
        case CodeTouch(code, _):
            return code
        case ReferrerTouch(partner, person, _):
            return f"by {partner.int:x}" if partner else f"by {person}"
        case SelfReportedTouch(partner, code, _):
            return f"says {partner.int:x}" if partner else f"says {code}"
        case _:
            return "?"


def _days(at: datetime) -> str:
    return f"{(at - START) / timedelta(days=1):+.6f}".rstrip("0")
