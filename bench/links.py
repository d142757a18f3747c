"""A workspace with partners, 10,000 links and a domain, in a migrated and empty database."""

from app.db.engine import Database
from bench.requests import CODES, OWN_HOST, OWN_HOST_EVERY
from tests.making import Shop, make_shop, percent

PARTNERS = tuple(f"p{number}" for number in range(50))
# What programs can switch on for their links.
_SETTINGS = """
    UPDATE programs SET keeps_network = true,
      utm = '{"source": "partners", "campaign": "{partner}", "content": "{sub1}"}'
    WHERE workspace_id = $1
"""
_DOMAIN = """
    INSERT INTO domains (id, workspace_id, program_id, host, token, verified_at, verified_by)
    SELECT gen_random_uuid(), workspace_id, id, $2, 'shown', now(), 'dns'
    FROM programs WHERE workspace_id = $1
"""
# Copies of the partners' own links, in turn.
_LINKS = """
    INSERT INTO links (id, workspace_id, program_id, partner_id, host, code, destination,
                       click_parameter, is_default, subs, utm)
    SELECT gen_random_uuid(), workspace_id, program_id, partner_id,
           CASE WHEN n % $5::int = 0 THEN $4 ELSE '' END, 'code' || n,
           'https://shop.example/landing/' || n, 'click_id', false, '{}', '{}'
    FROM generate_series(1, $2::int) AS n
    JOIN (SELECT *, row_number() OVER (ORDER BY id) AS number FROM links WHERE workspace_id = $1)
      AS own ON own.number = n % $3::int + 1
"""


async def make_links(database: Database) -> Shop:
    """`code1` to `code10000`, every fourth on the domain alone."""
    shop = await make_shop(database, percent(2000), PARTNERS)
    async with database.tx() as tx:
        driver = await tx.driver()
        await driver.execute(_SETTINGS, shop.workspace)
        await driver.execute(_DOMAIN, shop.workspace, OWN_HOST)
        await driver.execute(_LINKS, shop.workspace, CODES, len(PARTNERS), OWN_HOST, OWN_HOST_EVERY)
    return shop
