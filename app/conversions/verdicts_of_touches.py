"""Which reason of a decision is about which touch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from app.core.attribution_terms import TouchKind

FOLLOWED: Final = frozenset({"bound", "reassigned", "reassigned_to_nobody"})
"""From the first of these on reasons tell of a binding, and of no touch."""
ABOUT_WHOLE: Final = FOLLOWED | {
    "no_touch", "no_eligible_touch", "attributed", "binding_outranked", "binding_ended",
    "bound_after_close",
}  # fmt: skip
"""Reasons that tell who got a conversion, whatever each touch came to."""
_VERDICTS: Final = frozenset(
    {
        "touch_counted", "touch_not_chosen", "share_too_small", "outranked", "other_program",
        "code_unknown", "code_not_valid", "referrer_unknown", "self_report_not_taken",
        "self_referral", "token_invalid", "link_unknown", "class_not_counted", "outside_window",
        "after_first_conversion", "before_binding", "lock_ended", "after_sale", "program_filtered",
        "program_paused", "program_outranked", "not_enrolled", "received_after_close",
    }
)  # fmt: skip
_AT_OF_TOUCH: Final = frozenset(
    {"touch_counted", "after_first_conversion", "before_binding", "after_sale"}
)
_NAMES: Final = ("click_id", "position", "deal_id")
_FROM_SALE: Final = frozenset({"code", "referrer", "self_reported"})
"""Kinds whose age counts back from the sale."""


@dataclass(frozen=True, slots=True)
class Told:
    """A touch and whom it points to. code: as used; code_is: the code that it means.

    programs: where its partner may earn by it.
    """

    kind: TouchKind
    at: datetime | None = None
    click_id: UUID | None = None
    link_id: UUID | None = None
    traffic_class: str | None = None
    code: str | None = None
    code_is: str | None = None
    deal_id: UUID | None = None
    position: int | None = None
    partner_id: UUID | None = None
    programs: frozenset[UUID] = frozenset()


def matched(
    touches: Sequence[Told],
    reasons: Sequence[Mapping[str, Any]],
    sold_at: datetime,
    read_at: datetime,
) -> list[Mapping[str, Any] | None]:
    """By touch its reason. Both in the order of the decision: each reason has the first touch left
    that it may be about.
    """
    found: list[Mapping[str, Any] | None] = [None] * len(touches)
    for reason in reasons:
        if reason["code"] not in _VERDICTS:
            continue
        for n, touch in enumerate(touches):
            if found[n] is None and _is_about(reason, touch, sold_at, read_at):
                found[n] = reason
                break
    return found


def _is_about(reason: Mapping[str, Any], touch: Told, sold_at: datetime, read_at: datetime) -> bool:
    params = reason["params"]
    for name in _NAMES:
        if name in params:
            return bool(str(params[name]) == str(getattr(touch, name)))
    return _names(reason["code"], params, touch) and _dates(
        reason["code"], params, touch, sold_at, read_at
    )


def _names(code: str, params: Mapping[str, Any], touch: Told) -> bool:
    """Whether kind, code, partner and program are the touch's, as far as they are told."""
    if touch.position is not None:
        return False
    if code == "self_report_not_taken" and touch.kind != "self_reported":
        return False
    if "code" in params and params["code"] not in {touch.code, touch.code_is}:
        return False
    if "kind" in params and params["kind"] != touch.kind:
        return False
    if "partner_id" in params and params["partner_id"] != str(touch.partner_id):
        return False
    return "program_id" not in params or params["program_id"] in map(str, touch.programs)


def _dates(
    code: str, params: Mapping[str, Any], touch: Told, sold_at: datetime, read_at: datetime
) -> bool:
    if touch.at is None:
        return False
    if code in _AT_OF_TOUCH:
        return bool(params["at"] == _text(touch.at))
    if code == "code_not_valid":
        return bool(params["at"] == _text(min(touch.at, read_at)))
    if code == "outside_window" and touch.kind in _FROM_SALE:
        return bool(params["age_s"] == int((sold_at - touch.at).total_seconds()))
    return True


def _text(at: datetime) -> str:
    """As reasons are stored."""
    return at.astimezone(UTC).isoformat()
