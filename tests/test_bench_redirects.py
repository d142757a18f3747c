"""What the redirects' benchmarks claim of their requests, and of what they count as a redirect."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from random import Random
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest

from app.redirect.addresses import packed_address
from app.redirect.countries import Countries
from app.redirect.pages import PREFETCH
from bench.burst import burst
from bench.environment import environment
from bench.open_loop import token_of
from bench.requests import (
    ADDRESSES,
    AGENTS,
    AHEAD,
    CODES,
    COUNTRIES,
    HOST,
    OWN_HOST,
    OWN_HOST_EVERY,
    address_of,
    is_ahead,
    make_requests,
)
from bench.wrk import CONNECTIONS, round_of

REDIRECT = (
    b"HTTP/1.1 302 Found\r\nlocation: https://shop.example/?click_id="
    + b"t" * 60
    + b"\r\ncontent-length: 0\r\n\r\n"
)
PAGE = (
    f"HTTP/1.1 503 Service Unavailable\r\ncontent-length: {len(PREFETCH.body)}\r\n\r\n".encode()
    + PREFETCH.body
)
PRINTED = """Running 5s test @ http://127.0.0.1:8000
  1 threads and 64 connections
  Latency Distribution
     50%    2.70ms
     75%    3.17ms
     90%    4.01ms
     99%  870.00us
  100000 requests in 5.00s, 25.00MB read
{more}Requests/sec:  20000.00
Transfer/sec:      5.00MB
"""
AHEAD_OF_PRINTED = "  Non-2xx or 3xx responses: 2000\n"


def test_the_requests_are_the_mix_that_is_claimed() -> None:
    made = make_requests()
    paths = [target.partition(" ")[0] for target in made.targets]
    codes = [int(path.partition("?")[0].removeprefix("/r/code")) for path in paths]
    assert min(codes) == 1
    assert max(codes) <= CODES
    assert 8 < codes.count(1) / codes.count(10) < 12
    assert 0.19 < share(made.targets, "?") < 0.21
    for code, target in zip(codes, made.targets, strict=True):
        assert f"\tHost: {HOST if code % OWN_HOST_EVERY else OWN_HOST}" in target
    assert 0.15 < share(made.targets, OWN_HOST) < 0.3
    for header in AHEAD:
        assert 0.005 < share(made.targets, f"\t{header}") < 0.01
    assert len(different(made.visitors, "User-Agent")) == AGENTS
    assert len(different(made.visitors, "X-Forwarded-For")) == ADDRESSES
    assert 0.02 < 1 - share(made.visitors, "Sec-Fetch-Dest: document") < 0.04
    assert 0.09 < share(made.visitors, "Sec-GPC: 1") < 0.11
    assert 0.89 < share(made.visitors, "CF-IPCountry") < 0.91


def test_the_plain_ones_are_of_the_same_codes_browsers_and_parameters() -> None:
    made = make_requests(odd=False)
    assert len(different(made.visitors, "User-Agent")) == AGENTS
    assert 0.19 < share(made.targets, "?") < 0.21
    assert 0.15 < share(made.targets, OWN_HOST) < 0.3
    assert not any(is_ahead(target) for target in made.targets)
    for header, of_all in (("Sec-Fetch-Dest: document", 1), ("CF-IPCountry", 1), ("Sec-GPC", 0)):
        assert share(made.visitors, header) == of_all


def test_what_our_own_client_draws_has_heads_too() -> None:
    made, chance = make_requests(), Random(1)
    drawn = [made.draw(chance) for _ in range(20_000)]
    heads = [one for one in drawn if one.startswith(b"HEAD /r/code")]
    assert 0.005 < len(heads) / len(drawn) < 0.015
    # Such an answer's length would tell of a body that never comes.
    assert not any(is_ahead(one.decode()) for one in heads)
    assert all(one.startswith((b"GET /r/code", b"HEAD /r/code")) for one in drawn)
    assert all(one.endswith(b"\r\n\r\n") and one.count(b"\r\n\r\n") == 1 for one in drawn)


def test_every_address_has_a_country_in_the_database(tmp_path: Path) -> None:
    settings = environment(tmp_path)
    known = Countries("", Path(settings["FINDERFEE_MAXMIND_DB"]))
    found = {
        known.of(packed_address(address_of(number)), {}, told=False).decode()
        for number in range(ADDRESSES)
    }
    assert found == {*COUNTRIES}


def share(lines: list[str], text: str) -> float:
    return sum(text in line for line in lines) / len(lines)


def different(visitors: list[str], header: str) -> set[str]:
    return {found[1] for one in visitors if (found := re.search(rf"{header}: ([^\t]*)", one))}


def test_only_redirects_count_as_redirects() -> None:
    plain, some = (round_of(PRINTED.format(more=more)) for more in ("", AHEAD_OF_PRINTED))
    assert plain is not None
    assert (plain.requests, plain.requests_s, plain.refused) == (100_000, 20_000.0, 0)
    assert (plain.p50_ms, plain.p99_ms) == (2.7, 0.87)
    assert some is not None
    assert (some.requests, some.requests_s, some.refused) == (100_000, 19_600.0, 2_000)
    assert round_of(PRINTED.format(more="  Socket errors: connect 0, read 1\n")) is None


def test_a_burst_reads_every_answer_and_waits_for_the_last() -> None:
    requests = make_requests()
    chance = Random(2)
    drawn = [requests.draw(chance) for _ in range(500)]
    # Among the first, however few answers a slow machine gives.
    ahead = next(one for one in drawn if is_ahead(one.decode()))
    with answering(Redirecting) as server:
        tokens = burst(port_of(server), cycle([ahead, *drawn]), 0.5)
        asked = len(server.asked)
    assert len(tokens) == asked > CONNECTIONS
    assert {*tokens} == {"t" * 60, ""}


def test_a_prefetch_that_is_redirected_ends_the_burst() -> None:
    request = b"GET /r/code1 HTTP/1.1\r\nHost: go.example\r\nX-Moz: prefetch\r\n\r\n"
    with answering(Redirecting) as server:
        server.always = REDIRECT
        with pytest.raises(SystemExit, match="not the answer"):
            burst(port_of(server), cycle([request]), 0.2)


def test_no_other_page_is_taken_for_that_of_a_prefetch() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(PAGE)
        assert token_of(ours) == ""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy")
        with pytest.raises(SystemExit, match="not a redirect"):
            token_of(ours)


class Answering(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 2 * CONNECTIONS
    always = b""
    """What each is answered; nothing: as ours does."""

    def __init__(self, *given: Any) -> None:
        self.asked: list[bytes] = []
        super().__init__(*given)


class Redirecting(BaseRequestHandler):
    """Redirects as ours does: a page to what is fetched ahead."""

    server: Answering

    def handle(self) -> None:
        # A burst that ends at a wrong answer leaves the others unread.
        with suppress(ConnectionError):
            while request := self.request.recv(4_096):
                self.server.asked.append(request)
                page = PAGE if is_ahead(request.decode()) else REDIRECT
                self.request.sendall(self.server.always or page)


@contextmanager
def answering(handler: type[BaseRequestHandler]) -> Iterator[Answering]:
    with Answering(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def port_of(server: Answering) -> int:
    return int(server.server_address[1])
