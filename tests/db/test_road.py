"""Road 2 on a real Postgres: what is said becomes conversions, commissions and balances."""

from datetime import datetime, timedelta

from sqlalchemy import insert

from app.conversions import road
from app.conversions.proof.verify import verify
from app.conversions.providers.mapping import Alias
from app.conversions.requests import AliasIn, Joining, KnownAlias
from app.db.engine import Database
from app.db.tables import PartnerCountry
from tests.making import (
    LONG_AGO,
    Shop,
    ago,
    lead,
    make_shop,
    now,
    percent,
    plan,
    refund,
    sale,
)


async def test_sale_with_click_pays_the_partner_by_the_plan(database: Database) -> None:
    shop = await make_shop(database, percent(2000))
    await shop.tell(sale("u1", "i1", 100_00, clicks=[shop.click("ana", ago(days=1))]))
    (commission,) = await shop.commissions()
    assert (commission.amount, commission.status) == (20_00, "pending")
    assert await shop.balance("ana") == {"pending": 20_00}


async def test_sale_without_touch_pays_nobody_and_says_so(database: Database) -> None:
    shop = await make_shop(database)
    await shop.tell(sale("u1", "i1", 100_00))
    (conversion,) = await shop.conversions()
    assert conversion.credits == []
    assert [r["code"] for r in conversion.reasons] == ["no_touch"]
    assert await shop.commissions() == []


async def test_touch_after_the_sale_is_paid_too(database: Database) -> None:
    shop = await make_shop(database)
    click = shop.click("ana", ago(days=2))
    await shop.tell(sale("u1", "i1", 100_00, at=ago(hours=2)))
    await shop.tell(lead("u1", at=ago(days=1), clicks=[click]))
    assert await shop.balance("ana") == {"pending": 20_00}


async def test_repeated_event_changes_nothing(database: Database) -> None:
    shop = await make_shop(database)
    message = sale("u1", "i1", 100_00, clicks=[shop.click("ana", ago(days=1))])
    (first,) = await shop.tell(message)
    (again,) = await shop.tell(message)
    assert first == again
    assert await shop.balance("ana") == {"pending": 20_00}


async def test_refund_before_its_sale_waits_for_it(database: Database) -> None:
    shop = await make_shop(database)
    (event,) = await shop.tell(refund("i1", 30_00, refund_id="r1"))
    (row,) = await shop.rows("SELECT * FROM events WHERE workspace_id = :workspace")
    assert (row.state, row.reasons[0]["code"]) == ("parked", "waiting_for_sale")
    await shop.tell(sale("u1", "i1", 100_00, clicks=[shop.click("ana", ago(days=1))]))
    assert await shop.balance("ana") == {"pending": 14_00}
    (row,) = await shop.rows(
        "SELECT state FROM events WHERE workspace_id = :workspace AND id = :id", id=event
    )
    assert row.state == "applied"


async def test_join_moves_the_sale_to_the_elder_customer(database: Database) -> None:
    shop = await make_shop(database)
    await shop.tell(lead("u1", at=ago(hours=3), clicks=[shop.click("ana", ago(days=1))]))
    await shop.tell(sale("cus_9", "i1", 50_00, at=ago(hours=1)))
    assert await shop.balance("ana") == {}
    await shop.tell(lead("u1", name="joined", aliases=[Alias("own", "cus_9")]))
    assert await shop.balance("ana") == {"pending": 10_00}
    people = await shop.rows("SELECT * FROM customers WHERE workspace_id = :workspace")
    assert sorted(p.merged_into is None for p in people) == [False, True]


async def test_partner_changes_before_the_close(database: Database) -> None:
    shop = await make_shop(database)
    await shop.tell(sale("u1", "i1", 100_00, clicks=[shop.click("ana", ago(days=2))]))
    await shop.tell(lead("u1", clicks=[shop.click("bo", ago(days=1))]))
    assert await shop.balance("ana") == {}
    assert await shop.balance("bo") == {"pending": 20_00}
    statuses = {c.partner_id: c.status for c in await shop.commissions()}
    assert statuses == {shop.partners["ana"]: "void", shop.partners["bo"]: "pending"}


async def test_poisoned_event_leaves_the_others_settled(database: Database) -> None:
    shop = await make_shop(database)
    click = shop.click("ana", ago(days=1))
    ids = await shop.say(*(sale(f"u{n}", f"i{n}", 10_00, clicks=[click]) for n in range(5)))
    async with database.tx() as tx:
        driver = await tx.driver()
        await driver.execute("UPDATE events SET mapped = '{}' WHERE id = $1", ids[2])
    await shop.settle()
    states = await shop.rows("SELECT id, state FROM events WHERE workspace_id = :workspace")
    assert {row.id: row.state for row in states} == {
        i: "received" if i == ids[2] else "applied" for i in ids
    }
    assert await shop.balance("ana") == {"pending": 8_00}


async def test_earlier_receipt_is_not_overtaken_across_a_close(database: Database) -> None:
    """A webhook waits for the worker, the sale closes, and a request decides a later touch."""
    shop = await make_shop(database, percent(2000, hold_days=0, late_days=0), ["ana", "bo", "cy"])
    at = ago(days=5)
    await shop.tell(sale("u1", "i1", 100_00, at=at, clicks=[shop.click("ana", ago(days=8))]))
    waits, late = await shop.say(
        lead("u1", name="waits", at=at, clicks=[shop.click("bo", ago(days=7))]),
        lead("u1", name="late", at=at, clicks=[shop.click("cy", ago(days=6))]),
    )
    # The sale closed between the two receipts.
    (closed,) = await shop.conversions()
    async with database.tx() as tx:
        driver = await tx.driver()
        move = "UPDATE events SET received_at = $2 WHERE id = $1"
        await driver.execute(move, waits, closed.hold_until - timedelta(milliseconds=1))
        await driver.execute(move, late, closed.hold_until + timedelta(milliseconds=1))
    async with database.lane(shop.workspace) as tx:
        assert await road.decide(tx, shop.workspace, [late]) == 2
    assert await shop.balance("ana") == {}
    assert await shop.balance("bo") == {"pending": 20_00}
    assert await shop.balance("cy") == {}


async def test_what_changes_later_does_not_reach_a_sale_that_was_dated_ahead(
    database: Database,
) -> None:
    """A sender's clock is ahead; the partner moves before that time comes; a refund re-decides."""
    rules = [
        {"id": "home", "when": "partner.country == 'DE'", "pay": {"percent_bps": 2000}},
        {"id": "abroad", "pay": {"percent_bps": 500}},
    ]
    shop = await make_shop(database, plan(rules))
    await move(shop, "ana", "DE", LONG_AGO)
    ahead = now() + timedelta(minutes=4)
    await shop.tell(sale("u1", "i1", 100_00, at=ahead, clicks=[shop.click("ana", ago(days=1))]))
    assert await shop.balance("ana") == {"pending": 20_00}
    await move(shop, "ana", "FR", now())
    await shop.tell(refund("i1", 50_00, refund_id="r1"))
    assert await shop.balance("ana") == {"pending": 10_00}
    later = ahead + timedelta(seconds=30)
    await shop.tell(sale("u1", "i2", 100_00, at=later))
    assert await shop.balance("ana") == {"pending": 15_00}


async def move(shop: Shop, partner: str, country: str, since: datetime) -> None:
    async with shop.database.tx() as tx:
        await tx.execute(
            insert(PartnerCountry).values(
                workspace_id=shop.workspace,
                partner_id=shop.partners[partner],
                since=since,
                country=country,
            )
        )


async def test_alias_of_a_connected_account_joins_and_verifies(fresh_database: Database) -> None:
    shop = await make_shop(fresh_database)
    connected = AliasIn(namespace="stripe:acct_1032D82eZvKYlo2C", external_id="cus_9")
    await shop.tell(lead("u1", aliases=[connected.alias()]))
    long_id = "x" * 400
    joining = Joining(known=KnownAlias(namespace="own", external_id=long_id), alias=connected)
    await shop.tell(joining)
    assert (await verify(fresh_database)).findings == ()
