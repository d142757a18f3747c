"""What each reason says in English, with places for its parameters."""

from collections.abc import Mapping
from typing import Final

SENTENCES: Final[Mapping[str, str]] = {
    "touch_counted": "{touch}{place} of {partner_id} at {at} counts.",
    "touch_not_chosen": "{touch} of {partner_id} was eligible, but {model} picks another one.",
    "share_too_small": "{touch} of {partner_id} was eligible, but a share of {share_bps} is below"
    " {min_share_bps}.",
    "outranked": "{touch} of {partner_id} was eligible, but a {winner} goes before it.",
    "code_unknown": "No code of this workspace is {code}.",
    "code_not_valid": "The code {code} was not valid at {at}.",
    "referrer_unknown": "The one who is named as the referrer is no partner yet.",
    "self_report_not_taken": "The program {program_id} pays nobody on a customer's mere word; its"
    " plan has no window for that.",
    "self_referral": "The customer is the one who referred, and nobody earns on oneself.",
    "token_invalid": "Click id number {position} is none of ours, so it counts nothing.",
    "link_unknown": "The click {click_id} was on a link that this workspace does not have.",
    "class_not_counted": "The click {click_id} was {traffic_class} traffic, which does not count.",
    "outside_window": "{touch} was {age_s} before {anchor}; the window is {window_days} days.",
    "after_first_conversion": "{touch} at {at} came after the customer's first conversion at"
    " {first_at}.",
    "before_binding": "{touch} at {at} was before the customer's binding since {since}.",
    "lock_ended": "{touch} was kept until {until}; the customer first came at {first_at}.",
    "after_sale": "{touch} at {at} came after the sale at {sale_at}.",
    "program_filtered": "The source or the request does not let the program {program_id} earn.",
    "program_paused": "The program {program_id} was paused at {at}.",
    "not_enrolled": "{partner_id} was not active in the program {program_id}.",
    "received_after_close": "{touch} became known after the conversion had closed at {closed_at}.",
    "other_program": "{touch} belongs to the program {program_id}; the latest eligible touch is of"
    " {chosen_program_id}.",
    "program_outranked": "{touch} belongs to the program {program_id}; here {chosen_program_id}"
    " goes before that.",
    "no_touch": "Nothing points from this customer to a partner.",
    "no_eligible_touch": "No touch of this customer could count.",
    "attributed": "By {model}, {partner_id}{credited} brought this customer to the program"
    " {program_id}.",
    "bound": "The customer has been bound to {partner_id}{credited} in the program {program_id}"
    " since {since}.",
    "reassigned": "At {since} the customer was given to {partner_id} in the program {program_id}.",
    "reassigned_to_nobody": "At {at} it was decided that the customer is nobody's.",
    "binding_outranked": "The customer has been bound to {partner_id} in the program {program_id}"
    " since {since}, but here a {winner} goes before that.",
    "binding_ended": "The customer was bound to {partner_id} in the program {program_id} from"
    " {since} until {ended_at} ({why}), so touches competed anew.",
    "bound_after_close": "That became known after the conversion had closed for {program_id} at"
    " {closed_at}.",
    "gate_certified": "{partner_id} was not certified, and only who is earns by this plan.",
    "gate_tier": "{partner_id} had the tier {found}; by this plan only {wanted} earn.",
    "gate_agreement": "{partner_id} had accepted no agreement, and only who has earns by this"
    " plan.",
    "agreement_pays": "{partner_id} has terms of its own, version {version}, instead of the"
    " program's.",
    "rule_paid": "The rule `{rule}` pays {to_whom}{how} {base}: {amount}.",
    "cap_applied": "The rule `{rule}` pays at most {limit} per {per}{in_period}, of which {used}"
    " was used: {amount}.",
    "cap_count_reached": "The rule `{rule}` pays {count} times per {per}{in_period} at most, and"
    " has.",
    "band_part": "Of that, {base} in the band of the rule `{rule}` from {start} at {rate_bps}.",
    "band_lowest": "The rule `{rule}` pays its lowest rate at once. What {within} comes to is"
    " settled after its end.",
    "trued_up": "In {within} {reached}, for which the rule `{rule}` pays {rate_bps} of {base}."
    " {paid} was paid sale by sale; {amount} was left.",
    "not_trued_up": "In {within} {reached}, for which the rule `{rule}` pays {rate_bps} of {base}."
    " {paid} was paid sale by sale; nothing was left.",
    "band_step": "In {within} {stood}, which is in the step of the rule `{rule}` from {start}.",
    "below_bands": "In {within} {stood}, which is below the first step of the rule `{rule}`.",
    "not_reached": "The rule `{rule}` pays for what brings the partner to {least}{in_period}; this"
    " takes it from {before} to {after}.",
    "reached_before": "The rule `{rule}` pays once in {within}, and has.",
    "rule_not_best": "The rule `{rule}` would pay {amount}, less than `{best}` or no more.",
    "rule_not_paid": "The rule `{rule}` would pay, but a later one can't be worked out.",
    "rule_not_matched": "The rule `{rule}` wants {field} {wanted}; this sale has {found}.",
    "rule_condition_false": "The condition of the rule `{rule}` is not met.",
    "rule_failed": "The rule `{rule}` failed, so nobody is paid: {error}.",
    "below_minimum": "The rule `{rule}` wants a sale of {minimum} at least; this one is {base}.",
    "months_over": "The rule `{rule}` pays for {months} months, which began at {since}.",
    "payments_over": "The rule `{rule}` pays for {payments} payments; this is number {payment}.",
    "lines_missing": "The rule `{rule}` pays per {per}, but not all lines are known, so nobody is"
    " paid.",
    "lines_unknown": "The condition of the rule `{rule}` asks of the lines, but not all are known,"
    " so nobody is paid.",
    "amount_beyond_limit": "The rule `{rule}` comes to {amount}, more than can be booked, so nobody"
    " is paid.",
    "no_rate": "The rule `{rule}` reckons in {currency}, the sale was in {sale_currency}.",
    "no_rule_matched": "No rule of the plan applies, so nobody is paid.",
    "no_rule_for": "No rule for the {to}{of_level} applies.",
    "recruiter_missing": "Nobody in this program recruited {partner_id}{of_level}, so no recruiter"
    " is paid.",
    "recruiter_suspended": "The recruiter {partner_id}{of_level} was not active in the program, so"
    " it is not paid.",
    "recruiter_is_customer": "The recruiter {partner_id}{of_level} is the customer, and nobody"
    " earns on oneself.",
    "company_missing": "{partner_id} belonged to no company in this program, so none is paid.",
    "company_suspended": "The company {partner_id} was not active in the program, so it is not"
    " paid.",
    "company_is_customer": "The company {partner_id} is the customer, and nobody earns on oneself.",
    "nothing_to_share": "The rule `{rule}` pays a share of what the partner earns in cash, which is"
    " nothing, or in several currencies.",
    "rounds_to_zero": "The rule `{rule}` applies, but what it pays rounds to zero.",
    "imported_as_paid": "It was imported as settled by an earlier system, so it pays nobody here.",
    "refunded": "{refunded} of {gross} was refunded.",
    "dispute_open": "A dispute over {disputed} of {gross} is open; what was earned on it is held.",
    "dispute_won": "A dispute over {disputed} of {gross} was won; it takes nothing back.",
    "dispute_lost": "A dispute over {disputed} of {gross} was lost.",
    "possible_duplicate_sale": "Another source told of {gross} by this customer within a day: {by}."
    " What was earned is held until somebody decides whether the two are one.",
    "duplicate_sale": "Somebody decided that this is another sale told again.",
    "not_duplicate_sale": "Somebody decided that this is a sale of its own.",
    "superseded": "This turned out to be the same as {by}.",
    "lines_incomplete": "Not all lines of the invoice came along; the total decided.",
    "waiting_for_sale": "This waits for the sale that {keys} belongs to.",
    "parent_missing": "What this belongs to has not come since {since}; that was reported at {at}.",
    "event_ignored": "Events of the type {type} change nothing here.",
    "other_mode": "The event's live mode is {livemode}; this workspace's is not.",
    "conflicting_event": "{external_id} came again with another meaning; the first one stands.",
    "payment_of_another_customer": "{keys} is another customer's payment, told before this.",
    "email_of_another_customer": "Another customer, with another id of yours, has this e-mail.",
    "senseless": "{place}: {problem}.",
    "decision_failed": "Deciding failed {attempts} times ({error}); it was set aside for us.",
    "refund_currency_differs": "A refund in {currency} cannot reduce a sale in {sale_currency}.",
    "dispute_currency_differs": "A dispute in {currency} cannot hold a sale in {sale_currency}.",
}
"""Code → sentence; a test holds it against `core.reasons.CODES`."""
