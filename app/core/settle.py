"""All of a customer's commissions: from where they stand to where the conversions want them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from app.core.conversions import Award, Conversion, Given
from app.core.money import share
from app.core.records import record
from app.core.transfers import Standing, Transfer, difference, recall, supersede


@record
class Settled:
    """Where the commissions stand then, what moved for it, and which of them changed."""

    standings: Mapping[UUID, Standing]
    transfers: tuple[Transfer, ...]
    changed: frozenset[UUID]


def settle(
    standings: Mapping[UUID, Standing],
    conversions: Iterable[Conversion],
    disputed: Mapping[UUID, int],
) -> Settled:
    """The transfers that bring every commission to its award; one without an award is dropped.

    disputed: by conversion, gross under an open dispute (`Folded.disputed`).
    """
    after = dict(standings)
    transfers: list[Transfer] = []
    changed: set[UUID] = set()
    awards = [(conversion, award) for conversion in conversions for award in conversion.awards]
    for conversion, award in awards:
        old, recalled = _start(standings.get(award.commission_id), award)
        held = _held(award, conversion, disputed.get(conversion.id, 0), old.paid)
        moves = difference(old, amount=award.amount, reversed_=award.reversed, held=held)
        if moves or old.superseded:
            changed.add(award.commission_id)
        transfers += (*recalled, *moves)
        # Spelled out: every sale comes by here, and `replace` takes three times as long.
        after[award.commission_id] = Standing(
            commission_id=old.commission_id,
            program_id=old.program_id,
            partner_id=old.partner_id,
            currency=old.currency,
            amount=award.amount,
            reversed=award.reversed,
            matured=old.matured,
            superseded=False,
            transfers=old.transfers + len(moves),
            held=held,
            paid=old.paid,
            of_customer=old.of_customer,
        )
    wanted = {award.commission_id for _, award in awards}
    for commission, old in standings.items():
        if commission in wanted or old.superseded:
            continue
        moves = supersede(old)
        changed.add(commission)
        transfers += moves
        after[commission] = replace(
            old, reversed=old.amount, held=0, superseded=True, transfers=old.transfers + len(moves)
        )
    return Settled(after, tuple(transfers), frozenset(changed))


def _held(award: Award, conversion: Conversion, disputed: int, paid: int) -> int:
    """What a dispute stops of an award: as much as it would take back if it were lost.

    Rounded as the reversal would be, so that nothing is left over then. What has been paid out
    already can't be stopped; it is clawed back only when the dispute is lost.
    """
    if not disputed:
        return 0
    if_lost = share(award.amount, conversion.refunded + disputed, conversion.gross)
    return max(0, min(if_lost, award.amount - paid) - award.reversed)


def _start(old: Standing | None, award: Award) -> tuple[Standing, tuple[Transfer, ...]]:
    """Where a commission starts from; what it had in another currency goes back whole first."""
    if old is None or old.currency == award.currency:
        return old or _none_yet(award), ()
    moves = recall(old)
    transfers = old.transfers + len(moves)
    return replace(_none_yet(award), superseded=old.superseded, transfers=transfers), moves


def _none_yet(award: Award) -> Standing:
    return Standing.none(
        award.commission_id,
        award.program_id,
        award.partner_id,
        award.currency,
        of_customer=isinstance(award, Given) and award.to == "customer",
    )
