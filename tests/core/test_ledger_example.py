"""The worked example of the design's ledger, cent by cent: 100.00 at 20 %."""

from collections import Counter
from dataclasses import replace

from app.core.status import status_of
from app.core.transfers import AccountRef, Transfer
from tests.core.made_worlds import plan_with, world_of
from tests.core.pure_road import PureRoad, moved
from tests.core.telling import ANA, BO, FIRST, click, day, dispute, named, refund, sale, tell

Row = tuple[str, str, int]
"""From, to, cents; partners' accounts with their names."""


def new_road() -> PureRoad:
    road = PureRoad(world_of(plan_with("fifth", hold_days=30)))
    tell(road, sale("1", 100_00, click(-1, ANA)), at=0)
    return road


def rows(transfers: list[Transfer]) -> list[Row]:
    return [(_name(t.debit), _name(t.credit), t.amount) for t in transfers]


def balance(road: PureRoad) -> dict[str, int]:
    return {_name(account): amount for account, amount in road.balances.items()}


def _name(account: AccountRef) -> str:
    whose = {ANA: " P", BO: " Q", None: ""}[account.partner_id]
    return f"{account.role}{whose}"


def test_sale_refund_and_refund_that_failed() -> None:
    road = new_road()
    assert rows(road.transfers) == [("expense", "pending P", 20_00)]
    tell(road, refund("1", 30_00, days=1), at=1)
    assert rows(road.transfers)[1:] == [("pending P", "expense", 6_00)]
    assert balance(road) == {"expense": -14_00, "pending P": 14_00}
    tell(road, refund("1", 30_00, fails=True, days=2), at=2)
    assert rows(road.transfers)[2:] == [("expense", "pending P", 6_00)]
    assert balance(road) == {"expense": -20_00, "pending P": 20_00}


def test_partner_changes_before_the_close_in_two_rows() -> None:
    road = new_road()
    tell(road, named(click(-0.5, BO)), at=3)
    assert Counter(rows(road.transfers)[1:]) == Counter(
        [("pending P", "expense", 20_00), ("expense", "pending Q", 20_00)]
    )
    assert balance(road) == {"expense": -20_00, "pending Q": 20_00}
    assert sorted(s.partner_id == BO for s in road.standings.values() if not s.superseded) == [True]
    (void,) = [s for s in road.standings.values() if s.superseded]
    assert (
        status_of(amount=void.amount, reversed_=void.reversed, paid=0, matured=False, held=0)
        == "void"
    )


def test_matured_only_once_the_hold_is_over() -> None:
    road = new_road()
    road.mature(day(30))
    assert len(road.transfers) == 1
    road.mature(day(30.001))
    assert rows(road.transfers)[1:] == [("pending P", "payable P", 20_00)]
    road.mature(day(31))
    assert len(road.transfers) == 2


def test_refund_after_the_payout_is_owed_back_and_it_stays_paid() -> None:
    road = new_road()
    road.mature(day(31))
    # A payout collects what is payable; nothing of the core moves it.
    paid = {_name(a): n for a, n in moved(road.transfers).items() if a.role == "payable"}
    assert paid == {"payable P": 20_00}
    before = len(road.transfers)
    tell(road, refund("1", 30_00, days=40), at=40)
    assert rows(road.transfers)[before:] == [("payable P", "expense", 6_00)]
    assert balance(road)["payable P"] - paid["payable P"] == -6_00
    (stands,) = road.standings.values()
    assert (stands.amount, stands.reversed, stands.matured) == (20_00, 6_00, True)
    assert (
        status_of(amount=20_00, reversed_=stands.reversed, paid=20_00, matured=True, held=0)
        == "paid"
    )
    # The remaining 70.00 go back too.
    tell(road, refund("1", 70_00, refund_id="r2", days=41), at=41)
    assert rows(road.transfers)[before + 1 :] == [("payable P", "expense", 14_00)]
    assert balance(road).get("payable P", 0) - paid["payable P"] == -20_00


def test_dispute_of_the_rest_lost_and_won_later() -> None:
    road = new_road()
    road.mature(day(31))
    for known in road.customers.values():
        known.standings = {i: replace(s, paid=20_00) for i, s in known.standings.items()}
    tell(road, refund("1", 30_00, days=40), at=40)
    before = len(road.transfers)
    tell(road, dispute("1", 70_00, "open", days=41), at=41)
    assert len(road.transfers) == before
    tell(road, dispute("1", 70_00, "lost", days=50), at=50)
    assert rows(road.transfers)[before:] == [("payable P", "expense", 14_00)]
    tell(road, dispute("1", 70_00, "won", days=60), at=60)
    assert rows(road.transfers)[before + 1 :] == [("expense", "payable P", 14_00)]


def test_dispute_holds_until_it_ends() -> None:
    road = new_road()
    tell(road, refund("1", 30_00, days=1), dispute("1", 70_00, "open", days=2), at=2)
    assert balance(road) == {"expense": -14_00, "held P": 14_00}
    assert list(road.statuses.values()) == ["held"]
    road.mature(day(31))
    assert balance(road) == {"expense": -14_00, "held P": 14_00}
    assert list(road.statuses.values()) == ["held"]
    tell(road, dispute("1", 70_00, "won", days=33), at=33)
    assert balance(road) == {"expense": -14_00, "payable P": 14_00}
    tell(road, dispute("1", 70_00, "lost", days=34), at=34)
    assert balance(road) == {}
    assert list(road.statuses.values()) == ["void"]


def test_dispute_won_before_the_close_is_pending_again() -> None:
    road = new_road()
    tell(road, dispute("1", 70_00, "open", days=2), dispute("1", 70_00, "won", days=3), at=3)
    assert balance(road) == {"expense": -20_00, "pending P": 20_00}
    assert list(road.statuses.values()) == ["pending"]


def test_dispute_of_a_part_holds_that_part_and_the_rest_matures() -> None:
    road = new_road()
    tell(road, dispute("1", 33_33, "open", days=2), at=2)
    assert balance(road) == {"expense": -20_00, "held P": 6_67, "pending P": 13_33}
    assert list(road.statuses.values()) == ["held"]
    road.mature(day(31))
    assert balance(road) == {"expense": -20_00, "held P": 6_67, "payable P": 13_33}
    tell(road, dispute("1", 33_33, "lost", days=33), at=33)
    assert balance(road) == {"expense": -13_33, "payable P": 13_33}
    assert list(road.statuses.values()) == ["payable"]


def test_every_account_is_the_programs_or_its_partners() -> None:
    road = new_road()
    for account in road.balances:
        assert account.program_id == FIRST
        assert account.currency == "eur"
        assert (account.partner_id is None) is (account.role == "expense")
