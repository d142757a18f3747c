"""A click whose journal never arrives is made anew from the token that a sale brought."""

from sqlalchemy import text

from app.db.engine import Database
from app.redirect.recover import recover_clicks
from tests.making import ago, make_shop, sale


async def test_missing_click_is_made_once_and_counted(fresh_database: Database) -> None:
    shop = await make_shop(fresh_database)
    await shop.tell(sale("u1", "i1", 10_00, clicks=[shop.click("ana", ago(days=2))]))
    async with fresh_database.tx() as tx:
        assert await recover_clicks(tx) == 0  # the drain may still bring it
        await tx.execute(text("UPDATE events SET received_at = received_at - interval '1 hour'"))
        assert await recover_clicks(tx) == 1
        assert await recover_clicks(tx) == 0
        click = await tx.first(text("SELECT * FROM clicks"))
        counted = await tx.first(text("SELECT * FROM link_clicks"))
    assert click is not None
    assert counted is not None
    assert (click.link_id, click.recovered) == (shop.links["ana"], True)
    assert (counted.link_id, counted.clicks, counted.on_day) == (
        shop.links["ana"], 1, ago(days=2).date(),
    )  # fmt: skip
