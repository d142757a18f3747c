"""Why a decision came out as it did: codes with typed parameters, never sentences."""

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Final, cast
from uuid import UUID

from app.core.records import record

Plain = str | int | bool | tuple[str, ...]
"""What a reason holds: it survives JSON unchanged, so a stored reason equals a fresh one."""
Param = Plain | UUID | datetime
_PLAIN: Final = frozenset({str, int, bool, tuple})

CODES: Final = frozenset(
    {
        # Touches: one reason for each touch that was considered. What is no click is named by kind
        # (code, referrer, deal), and code or deal_id, in the place of click_id and link_id.
        "touch_counted",  # click_id, link_id, partner_id, at
        "touch_not_chosen",  # click_id, link_id, partner_id, model
        "share_too_small",  # click_id, link_id, partner_id, share_bps, min_share_bps
        "outranked",  # click_id, link_id, partner_id, winner: the kind that goes before
        "code_unknown",  # code
        "code_not_valid",  # code, at
        "referrer_unknown",  # kind
        "self_referral",  # partner_id, or kind
        "self_report_not_taken",  # program_id, partner_id
        "token_invalid",  # position
        "link_unknown",  # click_id
        "class_not_counted",  # click_id, traffic_class
        "outside_window",  # click_id, age_s, window_days
        "after_first_conversion",  # click_id, at, first_at
        "before_binding",  # click_id, at, since
        "lock_ended",  # deal_id, until, first_at
        "after_sale",  # click_id, at, sale_at
        "program_filtered",  # click_id, program_id
        "program_paused",  # program_id, at
        "not_enrolled",  # program_id, partner_id
        "received_after_close",  # click_id, closed_at
        "other_program",  # click_id, program_id, chosen_program_id
        "program_outranked",  # click_id, program_id, chosen_program_id
        # Attribution.
        "no_touch",
        "no_eligible_touch",
        "attributed",  # partner_id, program_id, model, bps if the model shares
        "bound",  # partner_id, program_id, since, bps if there are several, touch_at if known
        "reassigned",  # partner_id, program_id, since
        "reassigned_to_nobody",  # at
        "binding_outranked",  # partner_id, program_id, since, winner: the kind that goes before
        "binding_ended",  # partner_id, program_id, since, ended_at, why: term or suspended
        "bound_after_close",  # program_id, closed_at
        # Rules and awards.
        "gate_certified",  # partner_id
        "gate_tier",  # partner_id, wanted, found
        "gate_agreement",  # partner_id
        "agreement_pays",  # partner_id, version
        # Not per sale: per, times. What is not the partner's cash of the sale: to, level, as, of.
        "rule_paid",  # rule, rate_bps | flat | quantity, base, amount, currency
        # By bands of revenue: period, within, before, in the place of rate_bps.
        "cap_applied",  # rule, per, limit, used, amount, currency; per period: period, within
        "cap_count_reached",  # rule, count, period; not per customer: per, within
        "band_part",  # rule, period, within, start, rate_bps, base, currency
        "band_lowest",  # rule, period, within
        # Of a period; number, or before and start.
        "trued_up",  # rule, within, number, before, start, rate_bps, base, paid, amount, currency
        "not_trued_up",  # rule, within, number, before, start, rate_bps, base, paid, currency
        "band_step",  # rule, period, within, start, number | before, currency
        "below_bands",  # rule, period, within, number | before, currency
        "not_reached",  # rule, period, within, least, before, after, currency if of revenue
        "reached_before",  # rule, period, within
        "rule_not_best",  # rule, amount, best, currency
        "rule_not_paid",  # rule
        "rule_not_matched",  # rule, field, wanted, found
        "rule_condition_false",  # rule
        "rule_failed",  # rule, error
        "below_minimum",  # rule, minimum, base, currency
        "months_over",  # rule, months, since
        "payments_over",  # rule, payments, payment
        "lines_missing",  # rule, per
        "lines_unknown",  # rule
        "amount_beyond_limit",  # rule, amount, currency
        "no_rate",  # rule, currency, sale_currency
        "no_rule_matched",
        # Recipients other than the credited partner. level: of a recruiter.
        "no_rule_for",  # to, level
        "recruiter_missing",  # partner_id: whose, level
        "recruiter_suspended",  # partner_id, level
        "recruiter_is_customer",  # partner_id, level
        "company_missing",  # partner_id: whose
        "company_suspended",  # partner_id
        "company_is_customer",  # partner_id
        "nothing_to_share",  # rule
        "rounds_to_zero",  # rule
        "imported_as_paid",
        # The life of a sale.
        "refunded",  # refunded, gross, currency
        "dispute_open",  # disputed, gross, currency
        "dispute_won",  # disputed, gross, currency
        "dispute_lost",  # disputed, gross, currency
        "possible_duplicate_sale",  # by, gross, currency
        "duplicate_sale",
        "not_duplicate_sale",
        "superseded",  # by
        "lines_incomplete",
        # Events that wait or change nothing.
        "waiting_for_sale",  # keys
        "parent_missing",  # since, at
        "event_ignored",  # type
        "other_mode",  # livemode
        "conflicting_event",  # external_id
        "payment_of_another_customer",  # keys
        "email_of_another_customer",
        "senseless",  # place, problem
        "decision_failed",  # error, attempts
        "refund_currency_differs",  # currency, sale_currency
        "dispute_currency_differs",  # currency, sale_currency
    }
)


@record
class Reason:
    """One step of an explanation. params holds ids and numbers, no personal data."""

    code: str
    params: Mapping[str, Plain] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.code in CODES, self.code


def because(code: str, /, **params: Param) -> Reason:
    """Shorthand: `because("outside_window", age_s=…, window_days=30)`; ids and instants as text."""
    # In place: every decision gives a score of reasons, and another dict for each takes its time.
    for name, value in params.items():
        if type(value) not in _PLAIN:
            params[name] = _text(value)
    return Reason(code, cast("dict[str, Plain]", params))


def _text(value: Param) -> str:
    if not isinstance(value, datetime):
        return str(value)
    return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat()
