"""Events of today's API version told as one of 2022 told them: the same life in older shapes."""

from collections.abc import Callable

from tests.contract.stripe_objects import OLD_API, Json


def older(event: Json) -> Json | None:
    """The event as it was then; None if there was none of its type."""
    kind, thing = event["type"], event["data"]["object"]
    if kind in {"invoice_payment.paid", "refund.created", "customer.discount.created"}:
        return None
    reshape = _RESHAPED.get(thing["object"], _same)
    kind = "charge.refund.updated" if kind == "refund.updated" else kind
    data = {"object": reshape(thing)}
    return {**event, "type": kind, "api_version": OLD_API, "data": data}


def _same(thing: Json) -> Json:
    return thing


def _invoice(thing: Json) -> Json:
    """It names what paid it, and tells its tax and its subscription itself."""
    dropped = ("parent", "total_taxes", "total_excluding_tax", "customer_account")
    kept = {name: value for name, value in thing.items() if name not in dropped}
    paid = thing["amount_paid"] > 0
    return {
        **kept,
        "charge": _sibling(thing, "in_", "ch_") if paid else None,
        "payment_intent": _sibling(thing, "in_", "pi_") if paid else None,
        "lines": {**thing["lines"], "data": [_line(row) for row in thing["lines"]["data"]]},
        "subscription": thing["parent"]["subscription_details"]["subscription"],
        "tax": thing["total"] - thing["total_excluding_tax"],
    }


def _line(row: Json) -> Json:
    product = row["pricing"]["price_details"]["product"]
    kept = {name: row[name] for name in ("id", "object", "amount", "currency", "quantity")}
    price = {"id": "price_1", "object": "price", "product": product}
    return {**kept, "discount_amounts": [], "price": price, "tax_amounts": []}


def _charge(thing: Json) -> Json:
    """It names its invoice."""
    return {**thing, "invoice": _sibling(thing, "ch_", "in_")}


def _payment_intent(thing: Json) -> Json:
    """It holds its charges, and names its invoice."""
    kept = {name: value for name, value in thing.items() if name != "latest_charge"}
    charges = {"object": "list", "data": [{"id": thing["latest_charge"], "object": "charge"}]}
    return {**kept, "charges": charges, "invoice": _sibling(thing, "pi_", "in_")}


def _credit_note(thing: Json) -> Json:
    """One amount of one type, and one refund at most."""
    dropped = ("post_payment_amount", "pre_payment_amount", "refunds")
    kept = {name: value for name, value in thing.items() if name not in dropped}
    return {**kept, "refund": None, "customer_balance_transaction": "cbtxn_1"}


def _dispute(thing: Json) -> Json:
    """Its charge alone."""
    return {name: value for name, value in thing.items() if name != "payment_intent"}


def _sibling(thing: Json, prefix: str, other: str) -> str:
    """The story's ids of one payment differ in their prefixes."""
    return other + str(thing["id"]).removeprefix(prefix)


_RESHAPED: dict[str, Callable[[Json], Json]] = {
    "invoice": _invoice,
    "charge": _charge,
    "payment_intent": _payment_intent,
    "credit_note": _credit_note,
    "dispute": _dispute,
}
