"""What classing costs: a remembered agent beside its whole redirect, and agents never seen before.

`python -m bench.agents`: processor time, so a busy machine changes little. Postgres is away; the
redirect finds its link, judges, writes its click to the journal and signs, without a socket.
"""

import asyncio
import json
import logging
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any, Final

import structlog
from crawlerdetect import CrawlerDetect
from crawlerdetect.providers.crawlers import data as crawlers

from app.core.traffic import classify
from app.ids import uuid7
from app.redirect.agents import Agents, kind_of
from app.redirect.folders import claim_folder, release_folder
from app.redirect.journal_rows import AGENT_BYTES
from app.redirect.link_row import LinkRow, ProgramRow
from app.redirect.replica import Position
from app.redirect.road import road
from app.secret_keys import SecretKeys
from app.settings import Settings

NOWHERE: Final = "postgresql://nobody@127.0.0.1:9/nothing"
AGENT: Final = (
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    b" Chrome/140.0.0.0 Safari/537.36"
)
HEADERS: Final = (
    (b"host", b"go.example"),
    (b"connection", b"keep-alive"),
    (b"sec-ch-ua-mobile", b"?0"),
    (b"sec-ch-ua-platform", b'"Windows"'),
    (b"upgrade-insecure-requests", b"1"),
    (b"user-agent", AGENT),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"sec-fetch-site", b"cross-site"),
    (b"sec-fetch-mode", b"navigate"),
    (b"sec-fetch-user", b"?1"),
    (b"sec-fetch-dest", b"document"),
    (b"referer", b"https://blog.example/"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"accept-language", b"en-US,en;q=0.9"),
)
_TURNS: Final = 7
_REDIRECTS: Final = 8_192
_AT_ONCE: Final = 64
_JUDGED: Final = 100_000


def main() -> None:
    # That Postgres is away is meant.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    hit_ns, redirect_us = median(_hit_ns() for _ in range(_TURNS)), asyncio.run(_redirect_us())
    share = hit_ns / redirect_us / 10
    print(f"classing a remembered agent {hit_ns:,.0f} ns, {share:.1f} % of {redirect_us:,.0f} µs")
    print(f"\n{'never seen before':34}{'agents':>8}{'p50 µs':>10}{'p99 µs':>10}{'most µs':>10}")
    for name, corpus in {"people's": people(), "hostile, 512 bytes": hostile()}.items():
        _report(name, corpus, kind_of)
    for name, corpus in {"people's": people(), "hostile, 512 bytes": hostile()[:40]}.items():
        _report(f"crawlerdetect itself: {name}", corpus, _theirs)


def people() -> list[bytes]:
    """Agents as they were counted on the web, one each."""
    lines = files("fake_useragent").joinpath("data/browsers.jsonl").read_text().splitlines()
    return sorted({json.loads(line)["useragent"].encode() for line in lines})


def hostile() -> list[bytes]:
    """As long as we judge, made to keep a search busy: repetitions, noise, halves of names."""
    dice = random.Random(7)
    pieces = [b"x", b"a-", b"0", b"Yandexsearch", b"java", b"Safari.", b"CPU OS 1_", b"like ", b" "]
    found = [piece * AGENT_BYTES for piece in pieces]
    for _ in range(400):
        found.append(bytes(dice.randrange(1, 256) for _ in range(AGENT_BYTES)))
        halves = [name[:-1].replace("\\", "") for name in dice.choices(crawlers, k=80)]
        found.append("".join(halves).encode())
    return [agent[:AGENT_BYTES] for agent in found]


def _hit_ns() -> float:
    headers, kind = dict(HEADERS), Agents().kind
    began = time.thread_time_ns()
    for _ in range(_JUDGED):
        classify("GET", headers, kind(AGENT))
    return (time.thread_time_ns() - began) / _JUDGED


async def _redirect_us() -> float:
    """All threads' time for one redirect, at 64 in flight."""
    with tempfile.TemporaryDirectory(prefix="ff-bench-") as place:
        settings, keys = Settings(data_dir=Path(place)), SecretKeys(["of the benchmark " * 3])
        folder = claim_folder(settings.data_dir)
        async with road(settings, database_url=NOWHERE, keys=keys, folder=folder) as running:
            program = ProgramRow(uuid7().bytes, uuid7().bytes, "click_id", "{}", False, False)
            await running.directory.copy_page([_link(program)], 1, [program])
            await running.directory.end_copy(Position("bench", number=1, copy=1), {})
            app = running.app(_nothing)
            turns = []
            for _ in range(_TURNS):
                began = time.process_time_ns()
                for _ in range(_REDIRECTS // _AT_ONCE):
                    await asyncio.gather(
                        *(app(_scope(), _receive, _ignore) for _ in range(_AT_ONCE))
                    )
                turns.append((time.process_time_ns() - began) / _REDIRECTS / 1_000)
        release_folder(folder)
    return median(turns)


def _report(name: str, corpus: Sequence[bytes], judge: Callable[[bytes], object]) -> None:
    took = []
    for agent in corpus:
        began = time.thread_time_ns()
        judge(agent)
        took.append((time.thread_time_ns() - began) / 1_000)
    took.sort()
    p99 = took[len(took) * 99 // 100]
    middle = took[len(took) // 2]
    print(f"{name:34}{len(took):8}{middle:10,.0f}{p99:10,.0f}{took[-1]:10,.0f}")


def _theirs(agent: bytes) -> bool:
    answer: bool = CrawlerDetect(user_agent=agent.decode("latin-1")).is_crawler()
    return answer


def _link(program: ProgramRow) -> LinkRow:
    return LinkRow(
        *(uuid7().bytes, "", "spring", "https://shop.example/landing", None, "{}"),
        *(None, False, "{}", uuid7().bytes, "", program.id),
    )


def _scope() -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": "/r/spring",
        "query_string": b"",
        "headers": list(HEADERS),
        "client": ("127.0.0.1", 4_000),
    }


async def _nothing(*_: Any) -> None:
    """The app behind the redirect, which is never reached."""


async def _receive() -> dict[str, Any]:
    return {"type": "http.request"}


async def _ignore(message: Any) -> None:
    assert message["type"] != "http.response.start" or message["status"] == 302, message


if __name__ == "__main__":
    main()
