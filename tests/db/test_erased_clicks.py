"""The clicks that an erased customer's messages claim are nobody's, and still counted."""

from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from app.conversions.people.export import export_customer
from app.core import click_token
from app.db.engine import Database
from app.pages import Page
from app.redirect.clicks import ClickStore
from app.redirect.journal_rows import JournalRow
from tests.erasing import Erasing, nowhere, open_erasing, signup
from tests.making import CLICK_KEYS, Shop, ago, lead, make_shop


@pytest.fixture
async def erasing(fresh_database: Database) -> Erasing:
    return await open_erasing(fresh_database)


async def test_clicks_are_cut_loose_and_stay_counted(erasing: Erasing) -> None:
    """One that is stored, one that is recovered, one still in a journal: none tells of anybody."""
    shop = erasing.shop
    tokens = [shop.click("ana", ago(minutes=n)) for n in (3, 2, 1)]
    stored, recovered, late = (_row(shop, token) for token in tokens)
    await _drain(shop.database, stored)
    await erasing.change(
        "INSERT INTO clicks (id, link_id, traffic_class, recovered) VALUES (:id, :link, 1, true)",
        id=UUID(bytes=recovered.click),
        link=shop.links["ana"],
    )
    await shop.tell(signup(click_ids=tokens))
    erasure = await erasing.erase((await erasing.customer()).id)
    assert erasure.counts["clicks"] == 3
    await _drain(shop.database, stored, recovered, late)
    clicks = await shop.rows(
        "SELECT c.* FROM clicks c JOIN links l ON l.id = c.link_id"
        " WHERE l.workspace_id = :workspace"
    )
    assert len(clicks) == 3
    for click in clicks:
        told = (click.agent_id, click.referrer_id, click.visitor, click.country, click.subs)
        assert told == (None,) * 5
        assert not click.recovered
    (counted,) = await shop.rows(
        "SELECT sum(clicks) AS clicks FROM link_clicks c JOIN links l ON l.id = c.link_id"
        " WHERE l.workspace_id = :workspace"
    )
    assert counted.clicks == 2, "the recovered one was counted by whoever recovered it"
    await nowhere(shop.database, "sub1=of-zenobia")


async def test_other_people_s_clicks_stay(erasing: Erasing) -> None:
    shop = erasing.shop
    mine, theirs = (shop.click("ana", ago(minutes=n)) for n in (2, 1))
    await _drain(shop.database, _row(shop, mine), _row(shop, theirs))
    await shop.tell(signup(click_id=mine), lead("u-other", clicks=[theirs]))
    person = next(row for row in await erasing.customers() if row.email)
    assert (await erasing.erase(person.id)).counts["clicks"] == 1
    kept = await shop.rows(
        "SELECT 1 FROM clicks c JOIN links l ON l.id = c.link_id"
        " WHERE l.workspace_id = :workspace AND c.subs IS NOT NULL AND c.agent_id IS NOT NULL"
    )
    assert len(kept) == 1


async def test_claiming_another_workspace_s_click_neither_shows_nor_cuts_it(
    erasing: Erasing,
) -> None:
    """Its token stands in an address that anybody may copy."""
    database = erasing.shop.database
    theirs = await make_shop(database)
    stored, aside = (theirs.click("ana", ago(minutes=n)) for n in (2, 1))
    await _drain(database, _row(theirs, stored))
    await erasing.change(
        "INSERT INTO quarantined_clicks (click_id, row, error) VALUES (:id, :row, 'refused')",
        id=UUID(bytes=_row(theirs, aside).click),
        row=orjson.dumps({"link": str(theirs.links["ana"])}),
    )
    await erasing.shop.tell(signup(click_ids=[stored, aside]))
    person = (await erasing.customer()).id
    async with database.read() as read:
        document = await export_customer(read, erasing.shop.workspace, person, Page(limit=10))
    assert len(document.touches) == 2
    for touch in document.touches:
        told = (touch.link_code, touch.user_agent, touch.referrer, touch.country, touch.visitor)
        assert (*told, touch.network, touch.sub_ids) == (None,) * 7
    counts = (await erasing.erase(person)).counts
    assert (counts["clicks"], counts["quarantined_clicks"]) == (0, 0)
    kept = await theirs.rows(
        "SELECT c.subs FROM clicks c JOIN links l ON l.id = c.link_id"
        " WHERE l.workspace_id = :workspace AND c.agent_id IS NOT NULL"
    )
    assert [row.subs for row in kept] == ["sub1=of-zenobia"]
    async with database.read() as read:
        assert await read.scalar(text("SELECT count(*) FROM quarantined_clicks")) == 1


def _row(shop: Shop, token: str) -> JournalRow:
    """The click of a token as the journal would hold it."""
    read = click_token.verify(token, CLICK_KEYS)
    assert read is not None
    return JournalRow(
        traffic_class=1,
        click=read.click_id.bytes,
        link=shop.links["ana"].bytes,
        agent=b"Mozilla/5.0",
        referrer=b"https://blog.example/",
        subs=b"sub1=of-zenobia",
        visitor=b"visitor1",
        country=b"DE",
    )


async def _drain(database: Database, *rows: JournalRow) -> None:
    async with database.tx() as tx:
        await ClickStore(await tx.driver()).store(rows)
