"""The part of a plan that says whose touches count: the model, its windows and its shares."""

from typing import Final, Literal, cast

from app.core.documents import Fields, Node
from app.core.money import BPS
from app.core.records import record

Model = Literal["last_click", "first_click", "linear", "position_based", "time_decay"]
TouchKind = Literal["click", "code", "referrer", "deal", "self_reported"]
Weights = tuple[int, int, int]

MODELS: Final[tuple[Model, ...]] = (
    "last_click",
    "first_click",
    "linear",
    "position_based",
    "time_decay",
)
SHARING: Final[frozenset[Model]] = frozenset({"linear", "position_based", "time_decay"})
"""Models that credit more than one touch."""
KINDS: Final[tuple[TouchKind, ...]] = ("click", "code", "deal", "referrer", "self_reported")
MAX_WINDOW_DAYS: Final = 3_650
MAX_HALF_LIFE_DAYS: Final = 3_650
DEFAULT_WEIGHTS: Final[Weights] = (4_000, 2_000, 4_000)
_POSITIONS: Final = ("first", "middle", "last")


@record
class AttributionTerms:
    """window_days: how old a touch may be; windows: of kinds that have a window of their own.
    A click's and a lead's age counts to the customer's first conversion, the others' to the sale.

    weights_bps: of the first touch, of all between, and of the last, by the model position_based.
    half_life_days: in which a touch loses half its weight, by time_decay; else 0.
    min_share_bps: a partner whose share is smaller gets none, and the others share it.
    """

    model: Model
    window_days: int
    windows: tuple[tuple[TouchKind, int], ...] = ()
    weights_bps: Weights = DEFAULT_WEIGHTS
    half_life_days: int = 0
    min_share_bps: int = 0

    def window_of(self, kind: TouchKind) -> int | None:
        """In days. A registered lead has its lock instead, unless it is given a window."""
        general = None if kind == "deal" else self.window_days
        return dict(self.windows).get(kind, general)

    @property
    def takes_self_reports(self) -> bool:
        """Whether what customers say of themselves may attribute: only with a window of its own."""
        return any(kind == "self_reported" for kind, _ in self.windows)

    @property
    def shares(self) -> bool:
        """Whether several partners may be credited."""
        return self.model in SHARING


def read_attribution(node: Node) -> AttributionTerms:
    """Problems are left in the node; the terms count only if there are none."""
    fields = node.fields(
        ("model", "window_days"), ("windows", "weights_bps", "half_life_days", "min_share_bps")
    )
    model = cast("Model", fields["model"].choice(MODELS))
    if model:
        _refuse_foreign(model, fields)
    return AttributionTerms(
        model=model,
        window_days=fields["window_days"].integer(0, MAX_WINDOW_DAYS),
        windows=_read_windows(fields["windows"]),
        weights_bps=_read_weights(fields["weights_bps"]),
        half_life_days=fields["half_life_days"].integer(1, MAX_HALF_LIFE_DAYS),
        min_share_bps=fields["min_share_bps"].integer(0, BPS),
    )


def attribution_document(terms: AttributionTerms) -> dict[str, object]:
    """The normal form: the defaults of what the model uses are written out."""
    document: dict[str, object] = {"model": terms.model, "window_days": terms.window_days}
    if terms.windows:
        document["windows"] = dict(terms.windows)
    if terms.model == "position_based":
        document["weights_bps"] = dict(zip(_POSITIONS, terms.weights_bps, strict=True))
    if terms.model == "time_decay":
        document["half_life_days"] = terms.half_life_days
    if terms.shares:
        document["min_share_bps"] = terms.min_share_bps
    return document


def _refuse_foreign(model: Model, fields: Fields) -> None:
    """What only another model uses says something that would not happen."""
    uses = {
        "weights_bps": ("position_based",),
        "half_life_days": ("time_decay",),
        "min_share_bps": tuple(m for m in MODELS if m in SHARING),
    }
    for name, models in uses.items():
        if not fields[name].absent and model not in models:
            fields[name].refuse(
                f"is nothing to {model}", f"Leave it out, or use {' or '.join(models)}."
            )
    if model == "time_decay" and fields["half_life_days"].absent:
        fields["half_life_days"].refuse("is missing", "Add it.")


def _read_windows(node: Node) -> tuple[tuple[TouchKind, int], ...]:
    fields = node.fields((), KINDS)
    return tuple(
        (kind, fields[kind].integer(0, MAX_WINDOW_DAYS))
        for kind in KINDS
        if not fields[kind].absent
    )


def _read_weights(node: Node) -> Weights:
    if node.absent:
        return DEFAULT_WEIGHTS
    fields = node.fields(_POSITIONS)
    first, middle, last = (fields[name].integer(0, BPS) for name in _POSITIONS)
    if not any(fields[name].absent for name in _POSITIONS):
        if first + middle + last != BPS:
            node.refuse(
                f"sums to {first + middle + last}", f"Let first, middle and last sum to {BPS}."
            )
        elif first + last == 0:
            node.refuse("gives two touches nothing", "Give first or last a weight.")
    return first, middle, last
