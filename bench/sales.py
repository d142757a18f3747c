"""Sales into the inbox at a steady rate, from a process of its own.

`python -m bench.sales DATABASE_URL WORKSPACE RATE SECONDS`. It stores what webhooks would have been
stored as, by the same function; receiving and verifying them is left out, which would cost the web
process that is measured. Each sale is a new customer's, who clicked two hours ago.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from app.conversions.intake import incoming
from app.conversions.intake.incoming import Incoming
from app.db.engine import Database
from tests.making import CLICK_KEYS, Shop, ago, now, sale

TICKS_S = 10


async def main(url: str, workspace: UUID, rate: int, seconds: int) -> None:
    database = Database(url, pool_size=1, lane_pool_size=1)
    async with database.read() as read:
        own = text("SELECT id FROM links WHERE workspace_id = :workspace AND is_default")
        rows = await read.all(own.bindparams(workspace=workspace))
    shop = Shop(database, workspace, {str(n): row.id for n, row in enumerate(rows)})
    messages = [_message(shop, number) for number in range(rate * seconds)]
    size = rate // TICKS_S
    began = time.monotonic()
    for tick in range(seconds * TICKS_S):
        await asyncio.sleep(max(0, began + tick / TICKS_S - time.monotonic()))
        await _store(database, messages[tick * size : (tick + 1) * size])
    await database.close()


def _message(shop: Shop, number: int) -> Incoming:
    click = shop.click(str(number % len(shop.links)), ago(hours=2))
    request = sale(f"customer-{number}", f"invoice-{number}", 10_00, clicks=[click])
    body = request.model_dump_json().encode()
    return Incoming(shop.workspace, "api", request.mapped(now()), body)


async def _store(database: Database, messages: Sequence[Incoming]) -> None:
    async with database.tx() as tx:
        await incoming.store(tx, messages, CLICK_KEYS)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], UUID(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
