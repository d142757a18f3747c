"""Recorded → desired: the transfers that make the difference, and nothing else."""

from collections.abc import Iterable
from typing import Literal, Self
from uuid import UUID

from app.core import identity
from app.core.records import record

Role = Literal["expense", "pending", "held", "payable", "in_flight", "paid"]
Code = Literal[
    "award",  # a rule awarded it, or a re-decision raised it
    "award_lowered",  # a re-decision before the close lowered it
    "reversal",  # a refund or a lost dispute took it back
    "reinstatement",  # a refund failed, or a lost dispute was won after all
    "held",  # a dispute stopped it
    "released",  # the dispute was won
    "superseded",  # a re-decision dropped it
    "restored",  # a re-decision took it up again
    "matured",  # its hold is over
]


@record
class AccountRef:
    """One account: a partner's, a customer's, or the program's expense. currency: its unit."""

    program_id: UUID
    partner_id: UUID | None
    currency: str
    role: Role
    customer_id: UUID | None = None

    @property
    def id(self) -> UUID:
        return identity.account_id(
            program=self.program_id,
            partner=self.partner_id or self.customer_id,
            currency=self.currency,
            role=self.role,
        )


@record
class Standing:
    """A commission as the ledger has it. transfers: how many it had so far.

    held: how much of what is owed is stopped; the rest of it is pending or payable. of_customer:
    whether whose it is, partner_id, is a customer.
    """

    commission_id: UUID
    program_id: UUID
    partner_id: UUID
    currency: str
    amount: int
    reversed: int
    matured: bool
    superseded: bool
    transfers: int
    held: int = 0
    paid: int = 0
    of_customer: bool = False

    @classmethod
    def none(
        cls,
        commission_id: UUID,
        program_id: UUID,
        partner_id: UUID,
        currency: str,
        *,
        of_customer: bool = False,
    ) -> Self:
        """Of a commission for which nothing has moved yet."""
        return cls(
            commission_id=commission_id,
            program_id=program_id,
            partner_id=partner_id,
            currency=currency,
            amount=0,
            reversed=0,
            matured=False,
            superseded=False,
            transfers=0,
            of_customer=of_customer,
        )

    @property
    def expense(self) -> AccountRef:
        return AccountRef(self.program_id, None, self.currency, "expense")

    @property
    def outstanding(self) -> AccountRef:
        """Where what is owed of it lies, but for what is stopped."""
        role: Role = "payable" if self.matured else "pending"
        return self.account(role)

    @property
    def stopped(self) -> AccountRef:
        """Where what is held of it lies."""
        return self.account("held")

    def account(self, role: Role) -> AccountRef:
        """Whose it is has an account in each role."""
        if self.of_customer:
            return AccountRef(self.program_id, None, self.currency, role, self.partner_id)
        return AccountRef(self.program_id, self.partner_id, self.currency, role)


@record
class Transfer:
    """One move: the debit account gives, the credit account receives. amount > 0."""

    key: UUID
    commission_id: UUID
    debit: AccountRef
    credit: AccountRef
    amount: int
    currency: str
    code: Code


def difference(
    standing: Standing, *, amount: int, reversed_: int, held: int = 0
) -> tuple[Transfer, ...]:
    """What moves so that the commission stands at the desired amount, reversal and hold.

    The amount first, then the reversal, then the hold: each figure's history can be read from its
    own codes. What is reversed while it is held leaves from there at once, and comes back so.
    """
    returned, stopped = standing.reversed - reversed_, held - standing.held
    raised = _Move(
        standing.expense, standing.outstanding, amount - standing.amount, "award", "award_lowered"
    )
    if not (returned or stopped):
        return _transfers(standing, (raised,))
    at_once = 0
    if returned > 0 and stopped > 0:
        at_once = min(returned, stopped)
    elif returned < 0 and stopped < 0:
        at_once = max(returned, stopped)
    back: Code = "restored" if standing.superseded else "reinstatement"
    expense, rest, aside = raised.debit, raised.credit, standing.stopped
    return _transfers(
        standing,
        (
            raised,
            _Move(expense, aside, at_once, back, "reversal"),
            _Move(expense, rest, returned - at_once, back, "reversal"),
            _Move(rest, aside, stopped - at_once, "held", "released"),
        ),
    )


def supersede(standing: Standing) -> tuple[Transfer, ...]:
    """What moves when a re-decision drops the commission: all that is not yet reversed."""
    return _withdraw(standing, "restored", "superseded")


def recall(standing: Standing) -> tuple[Transfer, ...]:
    """What moves when the sale turns out to have been in another currency: all that is owed."""
    return _withdraw(standing, "award", "award_lowered")


def mature(standing: Standing) -> tuple[Transfer, ...]:
    """What moves when the hold period is over: all that is neither reversed nor stopped."""
    left = standing.amount - standing.reversed - standing.held
    payable = standing.account("payable")
    return _transfers(standing, (_Move(standing.outstanding, payable, left, "matured", "matured"),))


@record
class _Move:
    """amount: below zero, it goes the other way, under the other code; zero moves nothing."""

    debit: AccountRef
    credit: AccountRef
    amount: int
    code: Code
    counter_code: Code


def _withdraw(standing: Standing, grows: Code, shrinks: Code) -> tuple[Transfer, ...]:
    left = standing.amount - standing.reversed - standing.held
    expense = standing.expense
    return _transfers(
        standing,
        (
            _Move(expense, standing.stopped, -standing.held, grows, shrinks),
            _Move(expense, standing.outstanding, -left, grows, shrinks),
        ),
    )


def _transfers(standing: Standing, moves: Iterable[_Move]) -> tuple[Transfer, ...]:
    return tuple(
        [
            Transfer(
                key=identity.transfer_key(standing.commission_id, standing.transfers + n),
                commission_id=standing.commission_id,
                debit=move.debit if move.amount > 0 else move.credit,
                credit=move.credit if move.amount > 0 else move.debit,
                amount=abs(move.amount),
                currency=standing.currency,
                code=move.code if move.amount > 0 else move.counter_code,
            )
            for n, move in enumerate([move for move in moves if move.amount])
        ]
    )
