"""What the benchmarks claim of their load and their figures: that no latency hides."""

import time
from collections.abc import Iterator
from itertools import count
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Lock, Thread
from typing import ClassVar

from app.conversions.http import Receiver
from app.conversions.intake import inbox
from app.db.engine import Database
from app.secret_keys import SecretKeys
from bench.clicks import SECRET
from bench.decisions import decide_in_batches, histogram
from bench.open_loop import Load
from bench.rounds import compared
from bench.stored import COPIES, fill
from bench.webhooks import make_source, make_webhooks
from bench.wrk import Round
from tests.making import Shop, make_shop, percent

ANSWER = (
    b"HTTP/1.1 302 Found\r\nlocation: https://shop.example/?click_id="
    + b"t" * 60
    + b"\r\ncontent-length: 0\r\n\r\n"
)
BEFORE_THE_STALL = 100
STALL_S = 0.4


def test_a_stall_is_in_the_latency_of_all_that_were_due_meanwhile() -> None:
    rate = 200
    with ThreadingTCPServer(("127.0.0.1", 0), StallingOnce) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        load = Load(server.server_address[1], most_connections=4)
        load.run([b"GET /r/code1 HTTP/1.1\r\n\r\n"] * rate, rate, warm_s=0)
        server.shutdown()
    assert len(load.latencies_ms) == len(load.tokens) == rate
    # A client that waits for its answer before it asks again would have one slow request.
    slow = [took for _, took in load.latencies_ms if took > STALL_S * 1_000 / 2]
    assert len(slow) >= rate * STALL_S / 2 * 0.8


async def test_copies_of_a_sale_fill_every_table_and_leave_room_for_more(
    database: Database,
) -> None:
    shop = await make_shop(database, percent(2000), ["ana"])
    await decide_in_batches(shop, "first", ["ana"], 2)
    before = {name: await rows_of(shop, name) for name in COPIES}
    await fill(shop, 50)
    added = {name: await rows_of(shop, name) - found for name, found in before.items()}
    assert added == dict.fromkeys(COPIES, 50) | {"customer_names": 100}
    settled = await decide_in_batches(shop, "then", ["ana"], 3)
    assert await rows_of(shop, "commissions") == 55
    assert len(settled.batches_ms) == 1


async def rows_of(shop: Shop, name: str) -> int:
    (row,) = await shop.rows(f"SELECT count(*) AS n FROM {name} WHERE workspace_id = :workspace")
    return int(row.n)


async def test_each_webhook_is_another_signed_sale(database: Database) -> None:
    shop = await make_shop(database, percent(2000), ["ana"])
    source = await make_source(shop)
    keys = SecretKeys([SECRET])
    receiver = Receiver(database, keys)
    for webhook in make_webhooks(shop, source, 2):
        headers = {"stripe-signature": webhook.signature}
        assert not (await receiver.receive(source, headers, webhook.body)).duplicate
    await shop.settle()
    assert (await shop.balance("ana"))["pending"] == 2 * 20_00


def test_the_histogram_counts_every_batch() -> None:
    drawn = histogram([31.0, 33.0, 36.0, 51.0])
    assert drawn.startswith(
        f"4 batches of {inbox.BATCH}: p50 36.0, p95 51.0, p99 51.0, most 51.0 ms"
    )
    bars = [line.partition(" ms ")[2].split()[0] for line in drawn.splitlines() if " to " in line]
    assert bars == ["2", "1", "0", "0", "1"]


def test_contenders_are_compared_by_their_medians() -> None:
    rounds = {
        "theirs": [Round(1, 5.0, 1.0, 2.0)] * 3,
        "ours": [Round(1, n, 1.0, 2.0) for n in (9, 10, 99)],
    }
    _, _, theirs, ours = compared("requests", "ours", rounds).splitlines()
    assert theirs == "| theirs | 5 | 1.00 | 2.00 | 2.00 × | 5 5 5 |"
    assert ours == "| ours | 10 | 1.00 | 2.00 |  | 9 10 99 |"


class StallingOnce(BaseRequestHandler):
    """Redirects at once but for one pause, which all connections feel."""

    requests: ClassVar[Iterator[int]] = count()
    pause: ClassVar[Lock] = Lock()

    def handle(self) -> None:
        while self.request.recv(4_096):
            with self.pause:
                if next(self.requests) == BEFORE_THE_STALL:
                    time.sleep(STALL_S)
            self.request.sendall(ANSWER)
