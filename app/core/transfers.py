"""Recorded → desired: the transfers that make the difference, and nothing else."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from app.core import identity

Role = Literal["expense", "pending", "held", "payable", "in_flight", "paid"]
Code = Literal[
    "award",  # a rule awarded it, or a re-decision raised it
    "award_lowered",  # a re-decision before the close lowered it
    "reversal",  # a refund took it back
    "reinstatement",  # a refund failed
    "superseded",  # a re-decision dropped it
    "restored",  # a re-decision took it up again
    "matured",  # its hold is over
]


@dataclass(frozen=True, slots=True)
class AccountRef:
    """One account. partner_id: None for the program's expense."""

    program_id: UUID
    partner_id: UUID | None
    currency: str
    role: Role

    @property
    def id(self) -> UUID:
        return identity.account_id(
            program=self.program_id,
            partner=self.partner_id,
            currency=self.currency,
            role=self.role,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """A commission as the ledger has it. transfers: how many it had so far."""

    commission_id: UUID
    program_id: UUID
    partner_id: UUID
    currency: str
    amount: int
    reversed: int
    matured: bool
    superseded: bool
    transfers: int

    @property
    def expense(self) -> AccountRef:
        return AccountRef(self.program_id, None, self.currency, "expense")

    @property
    def outstanding(self) -> AccountRef:
        """Where what is owed of it lies."""
        role: Role = "payable" if self.matured else "pending"
        return AccountRef(self.program_id, self.partner_id, self.currency, role)


@dataclass(frozen=True, slots=True)
class Transfer:
    """One move: the debit account gives, the credit account receives. amount > 0."""

    key: UUID
    commission_id: UUID
    debit: AccountRef
    credit: AccountRef
    amount: int
    currency: str
    code: Code


def difference(standing: Standing, *, amount: int, reversed_: int) -> tuple[Transfer, ...]:
    """What moves so that the commission stands at the desired amount and reversal.

    The amount first, then the reversal: each figure's history can be read from its own codes.
    """
    moves: list[tuple[int, Code, Code]] = [
        (amount - standing.amount, "award", "award_lowered"),
        (
            standing.reversed - reversed_,
            "restored" if standing.superseded else "reinstatement",
            "reversal",
        ),
    ]
    return _transfers(standing, moves)


def supersede(standing: Standing) -> tuple[Transfer, ...]:
    """What moves when a re-decision drops the commission: all that is not yet reversed."""
    return _transfers(standing, [(standing.reversed - standing.amount, "restored", "superseded")])


def recall(standing: Standing) -> tuple[Transfer, ...]:
    """What moves when the sale turns out to have been in another currency: all that is owed."""
    left = standing.amount - standing.reversed
    return _transfers(standing, [(-left, "award", "award_lowered")])


def mature(standing: Standing) -> tuple[Transfer, ...]:
    """What moves when the hold is over; nothing if all was reversed meanwhile."""
    left = standing.amount - standing.reversed
    if left == 0:
        return ()
    payable = AccountRef(standing.program_id, standing.partner_id, standing.currency, "payable")
    return (
        Transfer(
            key=identity.transfer_key(standing.commission_id, standing.transfers),
            commission_id=standing.commission_id,
            debit=standing.outstanding,
            credit=payable,
            amount=left,
            currency=standing.currency,
            code="matured",
        ),
    )


def _transfers(standing: Standing, moves: list[tuple[int, Code, Code]]) -> tuple[Transfer, ...]:
    """moves: (delta of what is owed, its code when it grows, its code when it shrinks)."""
    transfers: list[Transfer] = []
    for delta, grows, shrinks in moves:
        if delta == 0:
            continue
        owed_more = delta > 0
        transfers.append(
            Transfer(
                key=identity.transfer_key(
                    standing.commission_id, standing.transfers + len(transfers)
                ),
                commission_id=standing.commission_id,
                debit=standing.expense if owed_more else standing.outstanding,
                credit=standing.outstanding if owed_more else standing.expense,
                amount=abs(delta),
                currency=standing.currency,
                code=grows if owed_more else shrinks,
            )
        )
    return tuple(transfers)
