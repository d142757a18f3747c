"""Stripe's disputes, credit notes and discounts, in the shapes of newer and older API versions."""

from typing import Any

from tests.contract.stripe_objects import AT, Json


def dispute(
    id: str = "dp_1",  # noqa: A002 - Stripe's own name
    *,
    status: str = "needs_response",
    amount: int = 12_000,
    currency: str = "usd",
    charge: str | Json | None = "ch_1",
    payment_intent: str | None = "pi_1",
    created: int = AT,
) -> Json:
    """Older API versions sent no `payment_intent`: give None."""
    return {
        "id": id,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge,
        "created": created,
        "currency": currency,
        "enhanced_eligibility_types": [],
        "evidence": {"receipt": None, "uncategorized_text": None},
        "evidence_details": {"due_by": created + 86_400, "has_evidence": False},
        "is_charge_refundable": status.startswith("warning_"),
        "livemode": False,
        "metadata": {},
        "payment_intent": payment_intent,
        "payment_method_details": {"card": {"brand": "visa", "case_type": "chargeback"}},
        "reason": "general",
        "status": status,
    }


def credit_note(
    id: str = "cn_1",  # noqa: A002
    *,
    invoice: str = "in_1",
    post_payment_amount: int = 3_000,
    pre_payment_amount: int = 0,
    refunded: int = 0,
    status: str = "issued",
    currency: str = "usd",
    created: int = AT,
) -> Json:
    """refunded: what its refunds, objects of their own, gave of the post-payment amount."""
    refunds = [{"amount_refunded": refunded, "refund": "re_1", "type": "refund"}]
    return {
        **_note(id, invoice, post_payment_amount + pre_payment_amount, currency, created),
        "out_of_band_amount": None,
        "post_payment_amount": post_payment_amount,
        "pre_payment_amount": pre_payment_amount,
        "refunds": refunds if refunded else [],
        "status": status,
        "type": "mixed" if pre_payment_amount and post_payment_amount else "post_payment",
    }


def older_credit_note(
    *,
    amount: int = 3_000,
    type: str = "post_payment",  # noqa: A002
    **others: Any,
) -> Json:
    """others: `refund`, `customer_balance_transaction` and `out_of_band_amount`, else null."""
    older = {"refund": None, "customer_balance_transaction": None, "out_of_band_amount": None}
    note = _note("cn_1", "in_1", amount, "usd", AT)
    return {**note, **older, **others, "status": "issued", "type": type}


def discount(
    promotion_code: str | Json | None = "promo_1",
    *,
    customer: str | None = "cus_1",
    created: int = AT,
) -> Json:
    return {
        "id": "di_1",
        "object": "discount",
        "checkout_session": None,
        "customer": customer,
        "end": None,
        "invoice": None,
        "promotion_code": promotion_code,
        "source": {"coupon": "Z4OV52SU", "type": "coupon"},
        "start": created,
        "subscription": "sub_1",
    }


def _note(number: str, invoice: str, amount: int, currency: str, created: int) -> Json:
    return {
        "id": number,
        "object": "credit_note",
        "amount": amount,
        "created": created,
        "currency": currency,
        "customer": "cus_1",
        "invoice": invoice,
        "livemode": False,
        "metadata": {},
        "reason": None,
        "subtotal": amount,
        "total": amount,
        "voided_at": None,
    }
