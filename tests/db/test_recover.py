"""A click whose journal never arrives is made anew from the token that a sale brought."""

from sqlalchemy import text

from app.core import click_token
from app.db.engine import Database
from app.redirect.clicks import ClickStore
from app.redirect.journal_rows import JournalRow
from app.redirect.recover import recover_clicks
from app.redirect.retention import remove_old_clicks
from tests.making import CLICK_KEYS, ago, make_shop, sale


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


async def test_a_click_that_retention_has_removed_is_not_made_and_counted_again(
    fresh_database: Database,
) -> None:
    """A sale may name it all the same, and be named in each round of the next days."""
    shop = await make_shop(fresh_database)
    token = shop.click("ana", ago(days=9))
    read = click_token.verify(token, CLICK_KEYS)
    assert read is not None
    click = JournalRow(1, read.click_id.bytes, read.link_id.bytes, b"Mozilla/5.0", b"")
    async with fresh_database.tx() as tx:
        await tx.execute(text("UPDATE workspaces SET click_retention_days = 7"))
        await ClickStore(await tx.driver()).store([click])
    await remove_old_clicks(fresh_database)
    await shop.tell(sale("u1", "i1", 10_00, clicks=[token]))
    async with fresh_database.tx() as tx:
        await tx.execute(text("UPDATE events SET received_at = received_at - interval '1 hour'"))
        assert await recover_clicks(tx) == 0
        # Kept for longer from now on: what is gone stays gone.
        await tx.execute(text("UPDATE workspaces SET click_retention_days = 395"))
        assert await recover_clicks(tx) == 0
        assert await tx.scalar(text("SELECT sum(clicks) FROM link_clicks")) == 1
