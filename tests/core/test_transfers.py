"""Every difference is moved in whole cents, and the moves always sum to where it stands."""

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.core.conversions import Award
from app.core.settle import settle
from app.core.status import status_of
from app.core.transfers import AccountRef, Standing, Transfer, difference, mature, supersede
from tests.core.made_worlds import PARTNERS, PROGRAMS
from tests.core.pure_road import moved
from tests.core.test_attribution import conversion_at

NEW = Standing(
    commission_id=UUID(int=1),
    program_id=PROGRAMS[0],
    partner_id=PARTNERS[0],
    currency="eur",
    amount=0,
    reversed=0,
    matured=False,
    superseded=False,
    transfers=0,
)


def award(amount: int, reversed_: int = 0, currency: str = "eur") -> Award:
    return Award(
        commission_id=NEW.commission_id,
        program_id=NEW.program_id,
        partner_id=NEW.partner_id,
        plan_version_id=UUID(int=2),
        plan_version=1,
        rule_id="base",
        base=amount,
        amount=amount,
        currency=currency,
        rate_bps=None,
        reversed=reversed_,
        reasons=(),
    )


def codes(transfers: tuple[Transfer, ...]) -> list[tuple[str, str, str, int]]:
    return [(t.code, t.debit.role, t.credit.role, t.amount) for t in transfers]


def test_what_is_owed_more_comes_from_expense_and_goes_back_to_it() -> None:
    assert codes(difference(NEW, amount=20, reversed_=0)) == [("award", "expense", "pending", 20)]
    stands = replace(NEW, amount=20, transfers=1)
    assert codes(difference(stands, amount=20, reversed_=6)) == [
        ("reversal", "pending", "expense", 6)
    ]
    assert codes(difference(replace(stands, reversed=6), amount=20, reversed_=0)) == [
        ("reinstatement", "expense", "pending", 6)
    ]
    assert codes(difference(stands, amount=15, reversed_=0)) == [
        ("award_lowered", "pending", "expense", 5)
    ]
    assert difference(stands, amount=20, reversed_=0) == ()


def test_what_matured_is_taken_back_from_payable() -> None:
    stands = replace(NEW, amount=20, matured=True, transfers=2)
    assert codes(difference(stands, amount=20, reversed_=6)) == [
        ("reversal", "payable", "expense", 6)
    ]


def test_dropped_and_taken_up_again_leaves_what_was() -> None:
    stands = replace(NEW, amount=20, reversed=6, transfers=2)
    assert codes(supersede(stands)) == [("superseded", "pending", "expense", 14)]
    dropped = replace(stands, reversed=20, superseded=True, transfers=3)
    assert codes(difference(dropped, amount=20, reversed_=6)) == [
        ("restored", "expense", "pending", 14)
    ]


def test_an_open_dispute_stops_what_it_would_take_back() -> None:
    stands = replace(NEW, amount=20, reversed=6, transfers=2)
    assert codes(difference(stands, amount=20, reversed_=6, held=14)) == [
        ("held", "pending", "held", 14)
    ]
    held = replace(stands, held=14, transfers=3)
    assert codes(difference(held, amount=20, reversed_=20)) == [("reversal", "held", "expense", 14)]
    assert codes(difference(held, amount=20, reversed_=6)) == [("released", "held", "pending", 14)]
    # A refund while it is held, and the dispute reopened after it was lost.
    assert codes(difference(held, amount=20, reversed_=10, held=10)) == [
        ("reversal", "held", "expense", 4)
    ]
    assert codes(
        difference(replace(held, held=0, reversed=20), amount=20, reversed_=6, held=9)
    ) == [
        ("reinstatement", "expense", "held", 9),
        ("reinstatement", "expense", "pending", 5),
    ]
    assert codes(supersede(replace(held, held=10))) == [
        ("superseded", "held", "expense", 10),
        ("superseded", "pending", "expense", 4),
    ]


def test_what_is_held_matures_but_for_what_is_stopped() -> None:
    held = replace(NEW, amount=20, reversed=6, held=10, transfers=3)
    assert codes(mature(held)) == [("matured", "pending", "payable", 4)]
    assert mature(replace(held, held=14)) == ()
    won = replace(held, matured=True)
    assert codes(difference(won, amount=20, reversed_=6)) == [("released", "held", "payable", 10)]


def test_what_was_paid_out_is_not_stopped() -> None:
    (conversion,) = (replace(conversion_at(0), gross=100, refunded=30, awards=(award(20, 6),)),)
    for paid, held in ((0, 14), (4, 10), (14, 0), (20, 0)):
        stands = replace(NEW, amount=20, reversed=6, paid=paid, matured=True)
        settled = settle({NEW.commission_id: stands}, [conversion], {conversion.id: 70})
        assert settled.standings[NEW.commission_id].held == held


def test_mature_moves_what_is_left_and_nothing_if_nothing_is() -> None:
    stands = replace(NEW, amount=20, reversed=6, transfers=2)
    assert codes(mature(stands)) == [("matured", "pending", "payable", 14)]
    assert mature(replace(stands, reversed=20)) == ()


def test_another_currency_takes_all_back_in_the_old_one_first() -> None:
    stands = replace(NEW, amount=20, reversed=6, transfers=2)
    (conversion,) = (replace(conversion_at(0), awards=(award(900, 300, "jpy"),)),)
    settled = settle({stands.commission_id: stands}, [conversion], {})
    assert [(t.code, t.currency, t.amount) for t in settled.transfers] == [
        ("award_lowered", "eur", 14),
        ("award", "jpy", 900),
        ("reversal", "jpy", 300),
    ]
    stands = settled.standings[stands.commission_id]
    assert (stands.currency, stands.amount, stands.reversed, stands.transfers) == (
        "jpy",
        900,
        300,
        5,
    )
    assert settled.changed == {stands.commission_id}


def test_status_says_where_it_stands() -> None:
    def status(amount: int, reversed_: int, paid: int, *, matured: bool, held: int = 0) -> str:
        return status_of(amount=amount, reversed_=reversed_, paid=paid, matured=matured, held=held)

    assert status(20, 0, 0, matured=False) == "pending"
    assert status(20, 20, 0, matured=False) == "void"
    assert status(20, 6, 0, matured=True) == "payable"
    assert status(20, 20, 0, matured=True) == "void"
    assert status(20, 0, 20, matured=True) == "paid"
    assert status(20, 20, 20, matured=True) == "paid"
    assert status(20, 6, 0, matured=False, held=1) == "held"
    assert status(20, 6, 0, matured=True, held=14) == "held"
    assert status(20, 6, 10, matured=True, held=4) == "paid"


GROSS = 1_000
figures = st.integers(1, 10**13).flatmap(lambda a: st.tuples(st.just(a), st.integers(0, a)))
currencies = st.sampled_from(("eur", "jpy", "kwd"))
wishes = st.one_of(
    st.none(),
    st.just("mature"),
    st.tuples(figures, currencies, st.sampled_from((0, 0, GROSS // 3, GROSS))).map(
        lambda wish: ((award(*wish[0], wish[1]),), wish[2])
    ),
)


@given(st.lists(wishes, max_size=12))
def test_transfers_always_sum_to_where_the_commission_stands(
    wanted: list[tuple[tuple[Award], int] | str | None],
) -> None:
    standings: dict[UUID, Standing] = {}
    transfers: list[Transfer] = []
    for wish in wanted:
        if wish == "mature":
            for i, stands in standings.items():
                if not stands.matured:
                    moves = mature(stands)
                    transfers += moves
                    count = stands.transfers + len(moves)
                    standings[i] = replace(stands, matured=True, transfers=count)
        else:
            # A matured one has closed: its currency stays.
            is_final = any(s.matured for s in standings.values())
            awards, disputed = wish if isinstance(wish, tuple) else ((), 0)
            if is_final and awards and awards[0].currency != standings[NEW.commission_id].currency:
                continue
            conversion = replace(conversion_at(0), gross=GROSS, refunded=0, awards=awards)
            settled = settle(standings, [conversion], {conversion.id: disputed})
            standings = dict(settled.standings)
            transfers += settled.transfers
        assert moved(transfers) == _owed(standings)
    assert len({t.key for t in transfers}) == len(transfers)
    for transfer in transfers:
        assert transfer.amount > 0
        assert transfer.debit.currency == transfer.credit.currency == transfer.currency
        roles = {transfer.debit.role, transfer.credit.role}
        assert roles <= {"expense", "pending", "held", "payable"}
        assert len(roles) == 2


def _owed(standings: dict[UUID, Standing]) -> dict[AccountRef, int]:
    sums: dict[AccountRef, int] = {}
    for stands in standings.values():
        left = stands.amount - stands.reversed
        assert 0 <= stands.held <= left
        sums = {
            stands.outstanding: left - stands.held,
            stands.stopped: stands.held,
            stands.expense: -left,
        }
    return {account: amount for account, amount in sums.items() if amount}
