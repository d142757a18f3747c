"""Rows of commissions as the core reckons with them."""

from collections.abc import Mapping
from typing import Any

from app.core.transfers import Standing


def standing_of(row: Mapping[str, Any]) -> Standing:
    """Where a commission stands, from its row."""
    return Standing(
        commission_id=row["id"],
        program_id=row["program_id"],
        partner_id=row["partner_id"] or row["rewarded_customer_id"],
        currency=row["currency"],
        amount=row["amount"],
        reversed=row["reversed"],
        matured=row["matured_at"] is not None,
        superseded=row["superseded"],
        transfers=row["transfers"],
        held=row["held"],
        paid=row["paid"],
        of_customer=row["recipient"] == "customer",
    )
