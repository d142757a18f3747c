"""Raw bodies past their retention go, in the way that the guard leaves open and in no other."""

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.conversions.intake import bodies, incoming
from app.conversions.intake.bodies import remove_old_bodies
from app.conversions.intake.incoming import Incoming
from app.conversions.intake.put_back import put_back
from app.conversions.proof.verify import verify
from app.conversions.requests import TrackIn
from app.db.engine import Database
from app.ids import first_at, uuid7
from tests.making import CLICK_KEYS, Shop, ago, lead, make_shop, now, refund, sale


@pytest.fixture
async def shop(fresh_database: Database) -> Shop:
    return await make_shop(fresh_database)


async def received(shop: Shop, request: TrackIn, *, days: float) -> UUID:
    """Store a message as if it had come so many days ago; undecided."""
    own = UUID(int=first_at(ago(days=days)).int | uuid7().int & ((1 << 80) - 1))
    body = request.model_dump_json().encode()
    message = Incoming(shop.workspace, "api", request.mapped(now()), body, id=own)
    async with shop.database.tx() as tx:
        await incoming.store(tx, [message], CLICK_KEYS)
        await tx.execute(
            text(
                "UPDATE events SET received_at = received_at - make_interval(secs => :s)"
                " WHERE id = :id"
            ).bindparams(s=days * 86_400, id=own)
        )
    return own


async def left(shop: Shop) -> set[UUID]:
    rows = await shop.rows("SELECT event_id FROM event_bodies WHERE workspace_id = :workspace")
    return {row.event_id for row in rows}


async def test_settled_bodies_go_after_their_days_and_the_ledger_still_verifies(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_CHUNK", 2)
    clicked = [shop.click("ana", ago(days=2))]
    old = [await received(shop, sale(f"u{n}", f"i{n}", 1_00), days=401) for n in range(5)]
    waits = await received(shop, refund("i-none", 1_00), days=900)
    young = await received(shop, sale("u9", "i9", 1_00, clicks=clicked), days=399)
    await shop.settle()
    undecided = await received(shop, lead("u10"), days=900)
    assert await left(shop) == {*old, waits, young, undecided}
    assert await remove_old_bodies(shop.database) == 5
    assert await left(shop) == {waits, young, undecided}
    assert await remove_old_bodies(shop.database) == 0
    await shop.settle()
    assert (await verify(shop.database)).findings == ()
    # What was decided is still there, and a refund of it finds it.
    assert len(await shop.rows("SELECT 1 FROM events WHERE workspace_id = :workspace")) == 8
    await shop.tell(refund("i1", 1_00))
    assert [c.refunded for c in await shop.conversions() if c.key.endswith("i1")] == [100]


async def test_each_workspace_has_days_of_its_own(shop: Shop) -> None:
    other = await make_shop(shop.database)
    for one in (shop, other):
        await received(one, lead("u1"), days=30)
        await one.settle()
    async with shop.database.tx() as tx:
        await tx.execute(
            text("UPDATE workspaces SET body_retention_days = 29 WHERE id = :id").bindparams(
                id=shop.workspace
            )
        )
    assert await remove_old_bodies(shop.database) == 1
    assert (await left(shop), len(await left(other))) == (set(), 1)


@pytest.mark.parametrize(("days", "settled"), [(399, True), (900, False)])
async def test_the_guard_lets_retention_take_only_what_is_due(
    shop: Shop, days: int, *, settled: bool
) -> None:
    await received(shop, lead("u1"), days=days)
    if settled:
        await shop.settle()
    async with shop.database.tx() as tx:
        await tx.execute(bodies._OPEN)
        with pytest.raises(DBAPIError, match="is insert-only"):
            await tx.execute(text("DELETE FROM event_bodies"))
    assert len(await left(shop)) == 1


async def test_what_died_long_ago_is_put_back_by_its_meaning(shop: Shop) -> None:
    clicked = [shop.click("ana", ago(days=2))]
    event = await received(shop, sale("u1", "i1", 1_00, clicks=clicked), days=401)
    async with shop.database.tx() as tx:
        await tx.execute(text("UPDATE events SET state = 'dead', attempts = 8"))
    assert await remove_old_bodies(shop.database) == 1
    async with shop.database.tx() as tx:
        assert await put_back(tx, shop.workspace, [event], CLICK_KEYS) == 1
    await shop.settle()
    assert await shop.balance("ana") == {"pending": 20}
    assert (await verify(shop.database)).findings == ()
