"""What a rule asks of a sale by plain comparison: its `match`."""

from typing import Final, cast

from app.core.bands import Reaches, reaches_document, read_reaches
from app.core.conversions import ConversionKind
from app.core.countries import COUNTRIES
from app.core.documents import Node, read_money
from app.core.gates import read_tiers
from app.core.money import Money
from app.core.records import record

KINDS: Final[tuple[ConversionKind, ...]] = ("lead", "sale", "renewal")
PAID_KINDS: Final[tuple[ConversionKind, ...]] = ("sale", "renewal")
MAX_LISTED: Final = 1_000
MAX_PRODUCT_ID: Final = 255
MAX_NTH: Final = 10_000


@record
class Match:
    """What can be compared without an expression; an empty tuple and None match everything.

    product_ids: the sale has at least one of them. countries: the customer's. tiers: the credited
    partner's in the program.
    new: whether it is the customer's first paid sale. nth: which of the customer's paid sales,
    1 for the first. min_amount: the least base of a sale. reaches: what the partner's period comes
    to by it.
    """

    kinds: tuple[ConversionKind, ...] = PAID_KINDS
    product_ids: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    new: bool | None = None
    nth: int | None = None
    min_amount: Money | None = None
    reaches: Reaches | None = None


def read_match(node: Node) -> Match:
    """Problems are left in the node; an absent one asks for a sale or renewal only."""
    if node.absent:
        return Match()
    fields = node.fields(
        (), ("kind", "product_ids", "countries", "tiers", "new", "nth", "min_amount", "reaches")
    )
    products = _unique(fields["product_ids"])
    countries = _unique(fields["countries"])
    nth, least = fields["nth"], fields["min_amount"]
    return Match(
        kinds=_read_kinds(fields["kind"]),
        product_ids=tuple(product.text(MAX_PRODUCT_ID) for product in products),
        countries=tuple(_read_country(country) for country in countries),
        tiers=read_tiers(fields["tiers"]),
        new=None if fields["new"].absent else fields["new"].flag(),
        nth=None if nth.absent else nth.integer(1, MAX_NTH, default=1),
        min_amount=None if least.absent else read_money(least),
        reaches=read_reaches(fields["reaches"]),
    )


def match_document(match: Match) -> dict[str, object]:
    """The normal form: the kinds always, of the rest what it asks for."""
    document: dict[str, object] = {"kind": list(match.kinds)}
    if match.product_ids:
        document["product_ids"] = list(match.product_ids)
    if match.countries:
        document["countries"] = list(match.countries)
    if match.tiers:
        document["tiers"] = list(match.tiers)
    if match.new is not None:
        document["new"] = match.new
    if match.nth is not None:
        document["nth"] = match.nth
    if match.min_amount is not None:
        document["min_amount"] = match.min_amount.document()
    if match.reaches is not None:
        document["reaches"] = reaches_document(match.reaches)
    return document


def _read_kinds(node: Node) -> tuple[ConversionKind, ...]:
    if node.absent:
        return PAID_KINDS
    words = (node,) if isinstance(node.value, str) else _unique(node)
    return tuple(cast("ConversionKind", word.choice(KINDS, default="sale")) for word in words)


def _unique(node: Node) -> tuple[Node, ...]:
    """The elements of a list; what is given twice is refused, an empty list would match nothing."""
    elements = node.elements(least=1, most=MAX_LISTED)
    seen: set[str] = set()
    for element in elements:
        if isinstance(element.value, str):
            if element.value in seen:
                element.refuse("is given twice", "Leave one of them out.")
            seen.add(element.value)
    return elements


def _read_country(node: Node) -> str:
    country = node.text(2)
    if country and country not in COUNTRIES:
        node.refuse(
            f"{country} is no country code", "Give ISO 3166-1 alpha-2 in capitals: DE, GB, US."
        )
    return country
