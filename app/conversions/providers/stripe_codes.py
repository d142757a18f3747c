"""Which promotion codes a Stripe object was bought with.

Stripe's own ids, `stripe:promo_…`: what the buyer typed is not told, a referral code knows its ids.
"""

from collections.abc import Iterator

from app.conversions.providers.shapes import Node, distinct


def promotion_codes(thing: Node) -> tuple[str, ...]:
    """The codes of a session, invoice, subscription, customer or discount.

    A session lists `{promotion_code}`. Elsewhere discounts are ids, which tell nothing, unless they
    came expanded; older API versions hold one as `discount`.
    """
    return distinct(
        f"stripe:{found}" for node in _discounts(thing) if (found := node.id("promotion_code"))
    )


def _discounts(thing: Node) -> Iterator[Node]:
    yield thing
    yield from _whole(thing, "discounts")
    yield from _one(thing)
    for part in (
        *thing.node("total_details").node("breakdown").nodes("discounts"),
        *thing.nodes("total_discount_amounts"),
    ):
        yield from _one(part)
    if isinstance(thing.fields.get("lines"), dict):
        for line in thing.node("lines").nodes("data"):
            yield from _whole(line, "discounts")


def _one(thing: Node) -> Iterator[Node]:
    """The discount under `discount`, if it came whole."""
    if isinstance(thing.fields.get("discount"), dict):
        yield thing.node("discount")


def _whole(thing: Node, name: str) -> Iterator[Node]:
    """The objects of a list; those that came as ids are left out."""
    value = thing.fields.get(name)
    if isinstance(value, list):
        kept = [entry for entry in value if not isinstance(entry, str)]
        yield from Node({name: kept}, thing.path).nodes(name)
    else:
        yield from thing.nodes(name)
