"""A workspace with partners and 10,000 links, in a database that is migrated and empty."""

from app.db.engine import Database
from bench.requests import CODES
from tests.making import Shop, make_shop, percent

PARTNERS = tuple(f"p{number}" for number in range(50))
# What programs can switch on for their links.
_SETTINGS = """
    UPDATE programs SET keeps_network = true,
      utm = '{"source": "partners", "campaign": "{partner}", "content": "{sub1}"}'
    WHERE workspace_id = $1
"""
# Copies of the partners' own links, in turn.
_LINKS = """
    INSERT INTO links (id, workspace_id, program_id, partner_id, host, code, destination,
                       click_parameter, is_default, subs, utm)
    SELECT gen_random_uuid(), workspace_id, program_id, partner_id, '', 'code' || n,
           'https://shop.example/landing/' || n, 'click_id', false, '{}', '{}'
    FROM generate_series(1, $2::int) AS n
    JOIN (SELECT *, row_number() OVER (ORDER BY id) AS number FROM links WHERE workspace_id = $1)
      AS own ON own.number = n % $3::int + 1
"""


async def make_links(database: Database) -> Shop:
    """`code1` to `code10000`."""
    shop = await make_shop(database, percent(2000), PARTNERS)
    async with database.tx() as tx:
        driver = await tx.driver()
        await driver.execute(_SETTINGS, shop.workspace)
        await driver.execute(_LINKS, shop.workspace, CODES, len(PARTNERS))
    return shop
