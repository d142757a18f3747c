"""What somebody has: a partner's cash and rewards, a customer's rewards."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy import select

from app.auth import Caller, ReadDep, needs
from app.auth import Scope as KeyScope
from app.core.units import read_unit
from app.db.tables import Customer, Partner
from app.errors import NotFound
from app.ledger.units import InUnit, in_unit
from app.wire import Currency, CustomerId, Out, PartnerId

router: Final = APIRouter(tags=["Money"])
Reader = Annotated[Caller, Depends(needs(KeyScope.COMMISSIONS_READ))]
_ROLES: Final = ("pending", "held", "payable", "in_flight", "paid")


class BalanceOut(Out):
    """What somebody has in one currency, minor units. payable may be negative: to be collected."""

    currency: Currency
    pending: int
    held: int
    payable: int
    in_flight: int
    paid: int


class RewardBalanceOut(InUnit):
    """What somebody has of what is not cash. payable: due. paid: handed over."""

    pending: int
    held: int
    payable: int
    in_flight: int
    paid: int


class Balances(Out):
    """data: cash alone, one entry for each currency in which anything was ever earned."""

    data: list[BalanceOut]
    rewards: list[RewardBalanceOut] = Field(
        description="Credit, discounts, free months, gifts and features, one entry for each."
    )


@router.get("/partners/{partner_id}/balance")
async def get_balance(partner_id: PartnerId, caller: Reader, read: ReadDep) -> Balances:
    """A partner's balances over all programs."""
    known = select(Partner.id).where(
        Partner.workspace_id == caller.workspace_id, Partner.id == partner_id
    )
    if await read.scalar(known) is None:
        raise NotFound
    driver = await read.driver()
    rows = await driver.fetch(
        "SELECT currency, role, sum(credits - debits)::bigint AS amount FROM accounts"
        " WHERE workspace_id = $1 AND partner_id = $2 GROUP BY currency, role ORDER BY currency",
        caller.workspace_id,
        partner_id,
    )
    return _balances(rows)


@router.get("/customers/{customer_id}/balance")
async def get_customer_balance(customer_id: CustomerId, caller: Reader, read: ReadDep) -> Balances:
    """What a customer was given for being referred, over all programs and under all its ids."""
    survivor = await read.first(
        select(Customer.id, Customer.merged_into).where(
            Customer.workspace_id == caller.workspace_id, Customer.id == customer_id
        )
    )
    if survivor is None:
        raise NotFound
    driver = await read.driver()
    rows = await driver.fetch(
        """
        SELECT a.currency, a.role, sum(a.credits - a.debits)::bigint AS amount
        FROM customers c
        JOIN accounts a ON a.workspace_id = c.workspace_id AND a.customer_id = c.id
        WHERE c.workspace_id = $1 AND (c.id = $2 OR c.merged_into = $2)
        GROUP BY a.currency, a.role ORDER BY a.currency
        """,
        caller.workspace_id,
        survivor.merged_into or survivor.id,
    )
    return _balances(rows)


def _balances(rows: Sequence[Mapping[str, Any]]) -> Balances:
    by_unit: dict[str, dict[str, int]] = {}
    for row in rows:
        by_unit.setdefault(row["currency"], dict.fromkeys(_ROLES, 0))[row["role"]] = row["amount"]
    cash = [unit for unit in by_unit if read_unit(unit).form == "cash"]
    return Balances(
        data=[BalanceOut(currency=unit, **by_unit[unit]) for unit in cash],
        rewards=[
            RewardBalanceOut(**in_unit(unit), **amounts)
            for unit, amounts in by_unit.items()
            if unit not in cash
        ],
    )
