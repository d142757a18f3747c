"""Whoever goes back to the release before finds on the links what it reads there."""

from typing import Any
from uuid import UUID

from alembic import command
from sqlalchemy import Connection, text

from app.db.engine import Database
from app.db.migrate import _config, connect
from tests.making import make_shop, percent


async def test_links_carry_their_program_s_settings_again(
    fresh_database_url: str, fresh_database: Database
) -> None:
    shop = await make_shop(fresh_database, percent(2000))
    other = await make_shop(fresh_database, percent(2000))
    async with connect(fresh_database_url) as connection:
        await connection.execute(
            text(
                "UPDATE programs SET click_parameter = 'ref', utm = '{\"term\": \"x\"}',"
                " keeps_network = true, archived_at = now() WHERE workspace_id = :own"
            ),
            {"own": shop.workspace},
        )
        before = text("UPDATE links SET archived_at = '2020-01-01Z' WHERE id = :link")
        await connection.execute(before, {"link": min(shop.links.values())})
        newest = await connection.scalar(text("SELECT max(number) FROM link_changes"))
        await connection.commit()
        await connection.run_sync(downgrade)
        carried = await connection.execute(
            text(
                "SELECT l.workspace_id, l.click_parameter, l.program_utm, l.keeps_network,"
                " l.archived_at = p.archived_at AS with_program FROM links l"
                " JOIN programs p ON p.id = l.program_id ORDER BY l.id"
            )
        )
        found: dict[UUID, list[Any]] = {shop.workspace: [], other.workspace: []}
        for workspace, *row in carried:
            found[workspace].append(tuple(row))
        told = text("SELECT count(*) FROM link_changes WHERE number > :newest")
        assert await connection.scalar(told, {"newest": newest}) == len(shop.links)
    settings = ("ref", {"term": "x"}, True)
    assert found[shop.workspace] == [(*settings, False), (*settings, True)]
    assert found[other.workspace] == [("click_id", {}, False, None)] * 2


def downgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.downgrade(config, "0055")
    connection.commit()
