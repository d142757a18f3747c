"""What amounts of the ledger are counted in, as the API tells it."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict, Field

from app.core.units import PIECES, Form, read_unit
from app.wire import Currency, Out


class InUnit(Out):
    """currency: of money in minor units, whether cash, credit or discount; none of what is counted
    one by one: free months, gifts, features. item: which gift or feature.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    currency: Currency | None = Field(examples=["usd"])
    form: Form = Field(alias="as", examples=["cash"])
    item: str | None


class CostOut(Out):
    """Minor units."""

    amount: int = Field(ge=0)
    currency: Currency

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self | None:
        """Of a row of commissions: what all of it costs; None: nobody said."""
        unit = read_unit(row["currency"])
        if unit.form not in PIECES:
            return cls(amount=row["amount"], currency=unit.currency)
        if row["unit_cost"] is None:
            return None
        return cls(amount=row["unit_cost"] * row["amount"], currency=row["cost_currency"])


def in_unit(unit: str) -> dict[str, Any]:
    """The fields of `InUnit`. unit: as the ledger writes it."""
    read = read_unit(unit)
    return {"currency": read.currency, "as": read.form, "item": read.item}
