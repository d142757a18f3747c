"""Where a partner's period stands: rates that change with it, and thresholds that it reaches."""

from collections.abc import Mapping
from typing import Final, Literal, cast

from app.core.documents import Node, read_money
from app.core.money import BPS, Money, share
from app.core.periods import PERIODS, Period
from app.core.records import record

By = Literal["revenue", "sales"]
Mode = Literal["graduated", "whole"]

BYS: Final[tuple[By, ...]] = ("revenue", "sales")
MODES: Final[tuple[Mode, ...]] = ("graduated", "whole")
MAX_STEPS: Final = 50
MAX_SALES: Final = 1_000_000


@record
class Step:
    """start: the revenue, in minor units, or the number of the sale that it begins with.

    Either rate_bps or flat is given.
    """

    start: int
    rate_bps: int | None
    flat: Money | None


@record
class Bands:
    """Rates by what the partner's period has come to. Below the first step nothing is paid.

    mode: graduated: each sale by where the period stood; whole: all sales of the period by the rate
    that it comes to (`core.true_up`). currency: of the revenue; empty by sales. steps: one or more,
    rising.
    """

    by: By
    period: Period
    currency: str
    steps: tuple[Step, ...]
    mode: Mode = "graduated"

    def step_at(self, reached: int) -> Step | None:
        """The step that a revenue, or the number of a sale, is in."""
        reached_steps = [step for step in self.steps if step.start <= reached]
        return reached_steps[-1] if reached_steps else None

    def parts(self, before: int, amount: int) -> tuple[tuple[Step, int], ...]:
        """An amount cut at the borders that it crosses, each part with its step.

        before: what the period stood at. What lies below the first step is in no part.
        """
        ends = (*(step.start for step in self.steps[1:]), before + amount)
        found: list[tuple[Step, int]] = []
        for n, step in enumerate(self.steps):
            end = before + amount if n + 1 == len(self.steps) else ends[n]
            part = min(end, before + amount) - max(step.start, before)
            if part > 0:
                found.append((step, part))
        return tuple(found)


@record
class Reaches:
    """The sale by which a partner's period comes to so much revenue, or so many sales; or the lead
    by which it comes to so many leads. One of them is given.
    """

    revenue: Money | None
    sales: int | None
    leads: int | None
    period: Period


def paid_by(parts: tuple[tuple[Step, int], ...]) -> int:
    """What parts come to by their rates, summed exactly and rounded once, half to even."""
    return share(sum(part * (step.rate_bps or 0) for step, part in parts), 1, BPS)


def read_bands(node: Node) -> Bands:
    """Problems are left in the node."""
    fields = node.fields(("by", "period", "mode", "steps"))
    by = cast("By", fields["by"].choice(BYS, default="sales"))
    period = cast("Period", fields["period"].choice(PERIODS, default="life"))
    mode = cast("Mode", fields["mode"].choice(MODES, default="graduated"))
    nodes = fields["steps"].elements(least=1, most=MAX_STEPS)
    read = [_read_step(step, by) for step in nodes]
    _refuse_unordered(nodes, read)
    currency = read[0][1] if read else ""
    bands = Bands(by, period, currency, tuple(step for step, _ in read), mode)
    if mode == "whole":
        _refuse_unsettled(fields["period"], nodes, bands)
    return bands


def bands_document(bands: Bands) -> dict[str, object]:
    """The normal form."""
    return {
        "by": bands.by,
        "period": bands.period,
        "mode": bands.mode,
        "steps": [
            {
                "from": {"amount": step.start, "currency": bands.currency}
                if bands.by == "revenue"
                else step.start,
                **({} if step.rate_bps is None else {"percent_bps": step.rate_bps}),
                **({} if step.flat is None else {"flat": step.flat.document()}),
            }
            for step in bands.steps
        ],
    }


def read_reaches(node: Node) -> Reaches | None:
    """Problems are left in the node; None if there is none."""
    if node.absent:
        return None
    fields = node.fields(("period",), ("revenue", "sales", "leads"))
    revenue, sales, leads = fields["revenue"], fields["sales"], fields["leads"]
    if isinstance(node.value, Mapping) and revenue.absent + sales.absent + leads.absent != 2:
        node.refuse("asks for several or none", "Give one of revenue, sales and leads.")
    money = None if revenue.absent else read_money(revenue)
    if money is not None and money.amount == 0 and isinstance(revenue.value, Mapping):
        revenue.refuse("is reached from the start", "Give more than 0.")
    return Reaches(
        revenue=money,
        sales=None if sales.absent else sales.integer(1, MAX_SALES, default=1),
        leads=None if leads.absent else leads.integer(1, MAX_SALES, default=1),
        period=cast("Period", fields["period"].choice(PERIODS, default="life")),
    )


def reaches_document(reaches: Reaches) -> dict[str, object]:
    """The normal form."""
    least: dict[str, object] = {}
    if reaches.revenue is not None:
        least["revenue"] = reaches.revenue.document()
    if reaches.sales is not None:
        least["sales"] = reaches.sales
    if reaches.leads is not None:
        least["leads"] = reaches.leads
    return {**least, "period": reaches.period}


def _read_step(node: Node, by: By) -> tuple[Step, str]:
    """The step, and the currency that it begins with."""
    fields = node.fields(("from",), ("percent_bps", "flat"))
    percent, flat = fields["percent_bps"], fields["flat"]
    if isinstance(node.value, Mapping) and percent.absent == flat.absent:
        given = "says nothing of how much" if percent.absent else "gives both percent_bps and flat"
        node.refuse(given, "Give either percent_bps or flat.")
    rate = None if percent.absent else percent.integer(0, BPS)
    money = None if flat.absent else read_money(flat)
    if by == "sales":
        return Step(fields["from"].integer(1, MAX_SALES, default=1), rate, money), ""
    start = read_money(fields["from"]) if not fields["from"].absent else Money(0, "")
    return Step(start.amount, rate, money), start.currency


def _refuse_unordered(nodes: tuple[Node, ...], read: list[tuple[Step, str]]) -> None:
    """Steps rise, in one currency, and are all percent or all flat."""
    for node, (before, currency), (step, other) in zip(nodes[1:], read, read[1:], strict=False):
        if step.start <= before.start:
            node.child("from").refuse("is not above the step before", "Let the steps rise.")
        if other != currency:
            node.child("from").refuse("is in another currency", "Give one currency for all steps.")
        if (step.flat is None) != (before.flat is None):
            node.refuse("mixes percent_bps and flat", "Give one of them in all steps.")


def _refuse_unsettled(period: Node, nodes: tuple[Node, ...], bands: Bands) -> None:
    """What is paid at once must be the least that a sale can come to, and the period must end."""
    if bands.period == "life":
        period.refuse("never ends, so whole is never settled", "Give month, quarter or year.")
    if not bands.steps:
        return
    first, lowest = bands.steps[0], 0 if bands.by == "revenue" else 1
    if first.start > lowest:
        nodes[0].child("from").refuse("leaves sales out", f"Let whole begin at {lowest}.")
    for node, step in zip(nodes, bands.steps, strict=True):
        if step.flat is not None:
            node.child("flat").refuse("has no meaning with whole", "Give percent_bps.")
    if first.rate_bps == 0:
        nodes[0].child("percent_bps").refuse("pays nothing at once", "Give more than 0.")
    for node, before, step in zip(nodes[1:], bands.steps, bands.steps[1:], strict=False):
        if (step.rate_bps or 0) < (before.rate_bps or 0):
            node.child("percent_bps").refuse(
                "is below the step before", "Let the rates of whole rise, or stay."
            )
