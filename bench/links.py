"""10,000 links for the redirect benchmark, in a database that is migrated and empty."""

import uuid

import asyncpg

COUNT = 10_000


async def make_links(database_url: str) -> None:
    workspace, program, partner = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "INSERT INTO workspaces (id, name, mode, first) VALUES ($1, 'bench', 'test', true)",
            workspace,
        )
        await connection.execute(
            "INSERT INTO programs (id, workspace_id, name, currency, destination_hosts,"
            " default_destination, click_parameter) VALUES ($1, $2, 'bench', 'EUR',"
            " ARRAY['shop.example'], 'https://shop.example/', 'click_id')",
            program,
            workspace,
        )
        await connection.execute(
            "INSERT INTO partners (id, workspace_id, country) VALUES ($1, $2, '')",
            partner,
            workspace,
        )
        await connection.execute(
            "INSERT INTO links (id, workspace_id, program_id, partner_id, host, code, destination,"
            " click_parameter, is_default, subs)"
            " SELECT gen_random_uuid(), $1, $2, $3, '', 'code' || n,"
            " 'https://shop.example/landing/' || n, 'click_id', false, '{}'"
            " FROM generate_series(1, $4::int) AS n",
            workspace,
            program,
            partner,
            COUNT,
        )
    finally:
        await connection.close()
