"""What a rule gives that is not the credited partner's cash: to whom, as what, at which cost."""

import re
from typing import Final, Literal, cast

from app.core.documents import Fields, read_money
from app.core.money import Money
from app.core.reasons import Param
from app.core.records import record
from app.core.units import FORMS, PIECES, Form, unit_of

Recipient = Literal["partner", "recruiter", "company", "customer"]
Of = Literal["sale", "commission"]

RECIPIENTS: Final[tuple[Recipient, ...]] = ("partner", "recruiter", "company", "customer")
OFS: Final[tuple[Of, ...]] = ("sale", "commission")
SHARERS: Final = frozenset({"recruiter", "company"})
"""Who may have a share of what the partner earns."""
MAX_LEVEL: Final = 2
MAX_QUANTITY: Final = 10_000
_ITEM: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@record
class Pieces:
    """So many of a unit for each sale, line or unit sold."""

    quantity: int
    unit: str


@record
class Reward:
    """level: of a recruiter, 1 for who recruited the credited partner, 2 for who recruited that
    one. of: what a percentage is of. cost: of one piece to us; None: unknown, or it is money.
    """

    to: Recipient
    level: int | None
    form: Form
    of: Of
    item: str = ""
    cost: Money | None = None

    @property
    def told(self) -> dict[str, Param]:
        """As reasons name it: what differs from the partner's cash."""
        told: dict[str, Param] = {}
        if self.to != "partner":
            told["to"] = self.to
        if self.level is not None:
            told["level"] = self.level
        if self.form != "cash":
            told["as"] = self.form
        if self.of != "sale":
            told["of"] = self.of
        return told

    def unit(self, currency: str) -> str:
        """currency: what it was reckoned in; of pieces, their unit."""
        return currency if self.form in PIECES else unit_of(self.form, currency)


def read_reward(fields: Fields) -> Reward | None:
    """None: cash for the partner, of the sale. Problems are left in the nodes."""
    to = cast("Recipient", fields["to"].choice(RECIPIENTS, default="partner"))
    form = cast("Form", fields["as"].choice(FORMS, default="cash"))
    of = cast("Of", fields["of"].choice(OFS, default="sale"))
    level = _read_level(fields, to)
    item = _read_item(fields, form)
    cost = None
    if not fields["cost"].absent:
        if form in PIECES:
            cost = read_money(fields["cost"])
        else:
            fields["cost"].refuse(f"has no meaning as {form}", "Leave it out: it costs its amount.")
    if of == "commission":
        _refuse_no_share(fields, to)
    if (to, form, of) == ("partner", "cash", "sale"):
        return None
    return Reward(to, level, form, of, item, cost)


def read_pieces(fields: Fields, reward: Reward) -> Pieces:
    """How many pieces a rule gives; another measure is refused."""
    for name in ("percent_bps", "flat", "bands"):
        if not fields[name].absent:
            fields[name].refuse(f"has no meaning as {reward.form}", "Give a quantity.")
    if fields["quantity"].absent:
        fields["quantity"].refuse("is missing", "Say how many.")
    quantity = fields["quantity"].integer(1, MAX_QUANTITY, default=1)
    return Pieces(quantity, unit_of(reward.form, reward.item))


def reward_document(reward: Reward | None) -> dict[str, object]:
    """The normal form of whom and what; the defaults of all but the level are written out."""
    if reward is None:
        return {"to": "partner", "as": "cash", "of": "sale"}
    document: dict[str, object] = {"to": reward.to, "as": reward.form, "of": reward.of}
    if reward.level is not None:
        document["level"] = reward.level
    if reward.item:
        document["item"] = reward.item
    if reward.cost is not None:
        document["cost"] = reward.cost.document()
    return document


def _refuse_no_share(fields: Fields, to: Recipient) -> None:
    """A share of the commission is a percentage, for who has a part in the partner's work."""
    if to not in SHARERS:
        fields["of"].refuse(f"commission has no meaning to the {to}", "Give sale.")
    if fields["percent_bps"].absent:
        fields["percent_bps"].refuse("is missing", "Say what part of the commission.")
    if not fields["per"].absent and fields["per"].value != "sale":
        fields["per"].refuse("has no meaning of commission", "Leave it out.")


def _read_level(fields: Fields, to: Recipient) -> int | None:
    level = fields["level"]
    if to != "recruiter":
        if not level.absent:
            level.refuse(f"has no meaning to the {to}", "Leave it out.")
        return None
    return level.integer(1, MAX_LEVEL, default=1)


def _read_item(fields: Fields, form: Form) -> str:
    item, quantity = fields["item"], fields["quantity"]
    if form in PIECES and form != "free_months":
        if item.absent:
            item.refuse("is missing", "Name what is given.")
        name = item.text(64)
        if name and not _ITEM.fullmatch(name):
            remedy = "Use a-z, 0-9, '_', '.' and '-', starting with a letter or digit."
            item.refuse("is not an item's id", remedy)
        return name
    for misplaced in (item,) if form == "free_months" else (item, quantity):
        if not misplaced.absent:
            misplaced.refuse(f"has no meaning as {form}", "Leave it out.")
    return ""
