"""Stripe invoices and what paid them, in the shapes of newer and older API versions."""

from typing import Any
from uuid import uuid4

from tests.contract.stripe_objects import AT, Json, address


def invoice(
    id: str = "in_1",  # noqa: A002
    *,
    customer: str | None = "cus_1",
    amount_paid: int = 12_000,
    total: int = 12_000,
    total_excluding_tax: int | None = 10_000,
    currency: str = "usd",
    lines: list[Json] | None = None,
    has_more: bool = False,
    subscription: str | None = "sub_1",
    subscription_metadata: Json | None = None,
    payments: list[Json] | None = None,
    country: str | None = "DE",
    paid_at: int | None = AT,
    created: int = AT,
) -> Json:
    """As API versions from 2025-03-31 on send it. subscription None: a one-off invoice."""
    parent = {
        "quote_details": None,
        "subscription_details": {
            "metadata": subscription_metadata or {},
            "subscription": subscription,
        },
        "type": "subscription_details",
    }
    rows = [invoice_line(amount=total_excluding_tax or total)] if lines is None else lines
    thing: Json = {
        "id": id,
        "object": "invoice",
        "amount_due": amount_paid,
        "amount_paid": amount_paid,
        "amount_remaining": 0,
        "billing_reason": "subscription_create" if subscription else "manual",
        "created": created,
        "currency": currency,
        "customer": customer,
        "customer_account": None,
        "customer_address": address(country),
        "customer_email": "jenny@example.com",
        "customer_name": "Jenny Rosen",
        "lines": {"object": "list", "data": rows, "has_more": has_more, "url": f"/v1/{id}/lines"},
        "livemode": False,
        "metadata": {},
        "parent": parent if subscription else None,
        "status": "paid",
        "status_transitions": {
            "finalized_at": created,
            "marked_uncollectible_at": None,
            "paid_at": paid_at,
            "voided_at": None,
        },
        "subtotal": total_excluding_tax,
        "total": total,
        "total_excluding_tax": total_excluding_tax,
        "total_taxes": [_tax(total - (total_excluding_tax or total), "exclusive")],
    }
    if payments is not None:
        thing["payments"] = {"object": "list", "data": payments, "has_more": False}
    return thing


def older_invoice(
    id: str = "in_1",  # noqa: A002
    *,
    charge: str | None = "ch_1",
    payment_intent: str | None = "pi_1",
    subscription: str | None = "sub_1",
    subscription_metadata: Json | None = None,
    tax: int | None = 2_000,
    lines: list[Json] | None = None,
    **others: Any,
) -> Json:
    """As API versions before 2025-03-31 sent it; those before 2022 had no untaxed total."""
    thing = invoice(id, lines=[older_invoice_line()] if lines is None else lines, **others)
    for newer in ("parent", "total_taxes", "total_excluding_tax", "customer_account"):
        del thing[newer]
    older = {
        "charge": charge,
        "paid": True,
        "payment_intent": payment_intent,
        "subscription": subscription,
        "subscription_details": {"metadata": subscription_metadata or {}},
        "tax": tax,
    }
    return {**thing, **older}


def invoice_line(
    *,
    amount: int = 10_000,
    product: str | None = "prod_1",
    quantity: int | None = 1,
    discount: int = 0,
    inclusive_tax: int = 0,
) -> Json:
    pricing = {
        "price_details": {"price": "price_1", "product": product},
        "type": "price_details",
        "unit_amount_decimal": None,
    }
    return {
        "id": f"il_{uuid4().hex[:24]}",
        "object": "line_item",
        "amount": amount,
        "currency": "usd",
        "discount_amounts": [{"amount": discount, "discount": "di_1"}] if discount else [],
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "pricing": pricing if product else None,
        "quantity": quantity,
        "subtotal": amount,
        "taxes": [_tax(inclusive_tax, "inclusive")] if inclusive_tax else [],
    }


def older_invoice_line(
    *, amount: int = 10_000, product: str = "prod_1", quantity: int | None = 1
) -> Json:
    return {
        "id": f"il_{uuid4().hex[:24]}",
        "object": "line_item",
        "amount": amount,
        "currency": "usd",
        "discount_amounts": [],
        "plan": {"id": "price_1", "object": "plan", "product": product},
        "price": {"id": "price_1", "object": "price", "product": product},
        "proration": amount < 0,
        "quantity": quantity,
        "tax_amounts": [],
        "type": "subscription",
    }


def invoice_payment(
    *,
    invoice: str = "in_1",
    payment_intent: str | None = "pi_1",
    charge: str | None = None,
    created: int = AT,
) -> Json:
    payment: Json = {"type": "payment_record", "payment_record": "pr_1"}
    if payment_intent:
        payment = {"type": "payment_intent", "payment_intent": payment_intent}
    if charge:
        payment = {"type": "charge", "charge": charge}
    return {
        "id": "inpay_1",
        "object": "invoice_payment",
        "amount_paid": 12_000,
        "amount_requested": 12_000,
        "created": created,
        "currency": "usd",
        "invoice": invoice,
        "is_default": True,
        "livemode": False,
        "payment": payment,
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": created},
    }


def _tax(amount: int, behavior: str) -> Json:
    return {"amount": amount, "tax_behavior": behavior, "type": "tax_rate_details"}
