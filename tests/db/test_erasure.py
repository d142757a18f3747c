"""A customer is erased: nothing names the person any more, and every cent still proves itself."""

import asyncio

import pytest

from app.conversions.intake.put_back import put_back
from app.conversions.providers.mapping import Alias
from app.db.engine import Database
from app.errors import NotFound
from app.explain import explained
from app.ids import encode, uuid7
from tests.erasing import EMAIL, NAME, Erasing, nowhere, open_erasing, signup
from tests.making import CLICK_KEYS, ago, lead, refund, sale


@pytest.fixture
async def erasing(fresh_database: Database) -> Erasing:
    return await open_erasing(fresh_database)


async def test_the_ledger_stays_whole_and_everything_verifies(erasing: Erasing) -> None:
    """Sales, a renewal, refunds on both sides of a close, and a pair that was joined."""
    shop = erasing.shop
    one, other = shop.click("ana", ago(days=61)), shop.click("bo", ago(days=2))
    await shop.tell(signup(click_id=one, occurred_at=ago(days=60)))
    await shop.tell(
        sale("zenobia-17", "inv-1", 100_00, at=ago(days=59), subscription="sub-1"),
        sale("zenobia-17", "inv-2", 100_00, at=ago(days=29), subscription="sub-1"),
        refund("inv-1", 30_00, refund_id="r-1"),
    )
    await shop.tell(lead("zenobia-18", at=ago(hours=3), clicks=[other]))
    await shop.tell(sale("zenobia-18", "inv-3", 50_00, at=ago(hours=2)), refund("inv-9", 1_00))
    await shop.tell(sale("u-other", "inv-4", 70_00, clicks=[shop.click("bo", ago(days=1))]))
    joined = [Alias("own", "zenobia-18")]
    await shop.tell(lead("zenobia-17", name="joined", aliases=joined))
    await erasing.whole()
    before = await erasing.money()
    ids = [encode("com", row.id) for row in await shop.commissions()]
    told = [await explained(shop.database.url, one) for one in ids]
    assert len(ids) >= 4

    for customer in await erasing.customers():
        await erasing.erase(customer.id)

    assert await erasing.money() == before
    assert [await explained(shop.database.url, one) for one in ids] == told
    await erasing.whole()
    await nowhere(shop.database, EMAIL, NAME, "zenobia-17", "zenobia-18")
    await shop.tell(refund("inv-3", 50_00, refund_id="r-3"))
    assert [
        row.refunded for row in await shop.conversions() if row.key == "own::invoice:inv-3"
    ] == [50_00]
    await erasing.whole()


async def test_both_selves_of_a_joined_customer_go_by_either_id(erasing: Erasing) -> None:
    shop = erasing.shop
    await shop.tell(signup("zenobia-17"))
    await shop.tell(signup("zenobia-18"))
    older, younger = await erasing.customers()
    await shop.tell(
        signup(
            "zenobia-17",
            event_name="x",
            customer_aliases=[{"namespace": "own", "external_id": "zenobia-18"}],
        )
    )
    assert (await erasing.customers())[1].merged_into == older.id
    erasure = await erasing.erase(younger.id)
    assert erasure.customer_id == older.id
    assert erasure.counts["contacts"] == 2
    assert {row.erased_at for row in await erasing.customers()} == {erasure.erased_at}
    await nowhere(shop.database, EMAIL, NAME, "zenobia-17", "zenobia-18")


async def test_what_waits_is_decided_without_bringing_anything_back(erasing: Erasing) -> None:
    """Also what waits under a name that only another waiting message ties to the person."""
    shop = erasing.shop
    await shop.tell(signup())
    click = shop.click("ana", ago(hours=1))
    await shop.say(
        signup(
            event_name="tie", customer_aliases=[{"namespace": "own", "external_id": "zenobia-18"}]
        )
    )
    await shop.say(signup("zenobia-18", event_name="later", click_id=click))
    await shop.say(sale("zenobia-18", "inv-1", 100_00), refund("inv-1", 10_00, refund_id="r-1"))
    await shop.say(signup("u-other-9", event_name="another"))
    erasure = await erasing.erase((await erasing.customer()).id)
    assert erasure.counts["bodies"] == 5
    await shop.settle()
    assert await shop.balance("ana") == {"pending": 18_00}
    assert [row.refunded for row in await shop.conversions() if row.kind == "sale"] == [10_00]
    person, another = await erasing.customers()
    assert (person.email, person.name) == ("", "")
    assert another.email == EMAIL
    assert await erasing.aliases() == ["u-other-9"]
    await erasing.whole()


async def test_a_name_that_somebody_else_has_is_not_taken_for_the_person_s(
    erasing: Erasing,
) -> None:
    """A message that will join two customers names both; the other one's own messages stay."""
    shop = erasing.shop
    await shop.tell(signup())
    person = await erasing.customer()
    await shop.tell(lead("neighbour-1"))
    await shop.say(
        signup(
            event_name="tie", customer_aliases=[{"namespace": "own", "external_id": "neighbour-1"}]
        )
    )
    await shop.say(lead("neighbour-1", name="waits"))
    assert (await erasing.erase(person.id)).counts["bodies"] == 2
    assert await erasing.bodies() == 2


async def test_a_dead_event_is_replayed_from_what_it_meant(erasing: Erasing) -> None:
    shop = erasing.shop
    await shop.tell(signup(click_id=shop.click("ana", ago(hours=1))))
    (dead,) = await shop.say(sale("zenobia-17", "inv-1", 100_00))
    await erasing.change("UPDATE events SET state = 'dead', attempts = 8 WHERE id = :id", id=dead)
    await erasing.erase((await erasing.customer()).id)
    assert await erasing.bodies() == 0
    async with shop.database.tx() as tx:
        assert await put_back(tx, shop.workspace, [dead], CLICK_KEYS) == 1
    await shop.settle()
    assert await shop.balance("ana") == {"pending": 20_00}
    await erasing.whole()


async def test_the_same_message_again_brings_nothing_back(erasing: Erasing) -> None:
    shop = erasing.shop
    first = signup()
    ids = await shop.tell(first)
    await erasing.erase((await erasing.customer()).id)
    assert await shop.tell(first) == ids
    assert await erasing.bodies() == 0
    await nowhere(shop.database, EMAIL, NAME, "zenobia-17")


async def test_who_buys_again_is_the_same_customer_with_what_is_told_now(
    erasing: Erasing,
) -> None:
    shop = erasing.shop
    await shop.tell(signup(click_id=shop.click("ana", ago(hours=1))))
    person = await erasing.customer()
    await erasing.erase(person.id)
    assert await erasing.aliases() == []
    again = signup(event_name="back")
    await shop.tell(again, sale("zenobia-17", "inv-1", 100_00))
    back = await erasing.customer()
    assert (back.id, back.email, back.name) == (person.id, EMAIL, NAME)
    assert await erasing.aliases() == ["zenobia-17"]
    assert await shop.balance("ana") == {"pending": 20_00}
    erasure = await erasing.erase(person.id)
    assert {k: n for k, n in erasure.counts.items() if n} == {
        "contacts": 1, "aliases": 1, "bodies": 2,
    }  # fmt: skip
    await nowhere(shop.database, EMAIL, NAME, "zenobia-17")


async def test_what_comes_while_it_waits_for_the_lane_is_found(erasing: Erasing) -> None:
    shop = erasing.shop
    await shop.tell(signup())
    person = (await erasing.customer()).id
    async with shop.database.lane(shop.workspace):
        erasure = asyncio.create_task(erasing.erase(person))
        async with asyncio.timeout(10):
            while not await shop.rows(
                "SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                " WHERE a.datname = current_database() AND l.locktype = 'advisory'"
                " AND NOT l.granted AND :workspace IS NOT NULL"
            ):
                await asyncio.sleep(0.01)
        await shop.say(signup(event_name="meanwhile"))
    assert (await erasure).counts["bodies"] == 2
    await shop.settle()
    await nowhere(shop.database, EMAIL, NAME, "zenobia-17")


async def test_twice_is_once(erasing: Erasing) -> None:
    await erasing.shop.tell(signup())
    person = (await erasing.customer()).id
    first = await erasing.erase(person)
    assert await erasing.erase(person) == first
    assert (
        len(await erasing.shop.rows("SELECT 1 FROM erasures WHERE workspace_id = :workspace")) == 1
    )
    assert (await erasing.customer()).erased_at == first.erased_at


async def test_an_unknown_customer_is_not_found(erasing: Erasing) -> None:
    with pytest.raises(NotFound):
        await erasing.erase(uuid7())
