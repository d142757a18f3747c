"""`python -m app explain com_…`: one commission for a person, with its reasons and its moves."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.orm import aliased

from app.core.units import PIECES, read_unit
from app.db.engine import Database
from app.db.tables import Account, Commission, Transfer
from app.db.tx import Read
from app.ids import MalformedIdError, decode, encode
from app.sentences import ReasonOut, money

_MOST_MOVES: Final = 10_000


async def explained(url: str, commission: str) -> str | None:
    """The text; None if no workspace has a commission with this id."""
    database = Database(url)
    try:
        async with database.read() as read:
            lines = await _lines(read, commission)
    finally:
        await database.close()
    return None if lines is None else "\n".join(lines) + "\n"


async def _lines(read: Read, commission: str) -> list[str] | None:
    try:
        wanted = decode("com", commission)
    except MalformedIdError:
        return None
    # An operator's tool: it looks in all workspaces. The id is derived, so it is in one at most.
    row = await read.first(select(Commission.__table__).where(Commission.id == wanted))
    if row is None:
        return None
    return [*_head(row), "", "Why:", *_reasons(row), "", "Moves:", *await _moves(read, row)]


def _head(row: Row[Any]) -> Iterator[str]:
    yield f"{encode('com', row.id)}: {money(row.amount, row.currency)}, {row.status}"
    of = "" if read_unit(row.currency).form in PIECES else f"of {money(row.base, row.currency)}, "
    yield f"  {of}reversed {money(row.reversed, row.currency)}"
    whose = f"{row.recipient} {encode('part', row.partner_id)}, " if row.partner_id else "to the "
    if row.conversion_id is None:
        yield f"  {whose}for the period that ended at {row.occurred_at.isoformat()}"
    else:
        yield f"  {whose}customer {encode('cus', row.customer_id)}"
        yield f"  conversion {encode('conv', row.conversion_id)} at {row.occurred_at.isoformat()}"
    yield f"  rule `{row.rule_id}` of plan version {row.plan_version}, decision {row.decision_no}"
    yield f"  held until {row.hold_until.isoformat()}"


def _reasons(row: Row[Any]) -> list[str]:
    return [f"  {reason.text}" for reason in ReasonOut.all_of(row.explanation)]


async def _moves(read: Read, row: Row[Any]) -> list[str]:
    debited, credited = aliased(Account), aliased(Account)
    moves = await read.all(
        select(
            Transfer.number,
            Transfer.code,
            Transfer.amount,
            Transfer.currency,
            Transfer.recorded_at,
            debited.role.label("debited"),
            credited.role.label("credited"),
        )
        .join(
            debited,
            (debited.workspace_id == Transfer.workspace_id)
            & (debited.id == Transfer.debit_account),
        )
        .join(
            credited,
            (credited.workspace_id == Transfer.workspace_id)
            & (credited.id == Transfer.credit_account),
        )
        .where(
            Transfer.workspace_id == row.workspace_id,
            Transfer.commission_id == row.id,
        )
        .order_by(Transfer.number)
        .limit(_MOST_MOVES)
    )
    return [
        f"  {move.recorded_at.isoformat()}  {move.debited} → {move.credited}"
        f"  {money(move.amount, move.currency)}  ({move.code}, number {move.number})"
        for move in moves
    ]
