"""The requests of the redirect benchmarks, made from a seed: every contender gets the same ones.

One is a target (which code, with which parameters) and a visitor (where from, with which browser),
drawn apart, so that two lists of some thousands give requests that seldom repeat.
"""

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from urllib.parse import urlencode

CODES = 10_000
AGENTS = 2_000
ADDRESSES = 5_000
HOST = "go.example"
OWN_HOST = "go.shop.example"
"""A domain that the program has verified; every fourth link is there and nowhere else."""
OWN_HOST_EVERY = 4
AHEAD = ("Sec-Purpose: prefetch;prerender", "Purpose: prefetch", "X-Moz: prefetch")
"""With one of them a click is recorded and answered by a page; rivals redirect it."""
_TARGETS = 100_000
_VISITORS = 20_000
_WITH_PARAMETERS = 0.2
_FETCHED_AHEAD = 0.02
_EMBEDDED = 0.03
_PRIVATE = 0.1
_HEAD = 0.01
_UNPLACED = 0.1
_SYSTEMS = (
    *("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64"),
    *("Linux; Android 10; K", "Linux; Android 14; SM-S921B", "X11; CrOS x86_64 14541.0.0"),
)
_CRAWLERS = ("Googlebot", "bingbot", "AhrefsBot", "SemrushBot", "DuckDuckBot", "PetalBot")
_CRAWLERS_EVERY = 20
COUNTRIES = ("US", "DE", "GB", "FR", "IN", "BR", "ES", "NL", "PL", "JP")
_SITES = 50


@dataclass(frozen=True, slots=True)
class Requests:
    """A request's lines with tabs between.

    targets: the first, without its method, and those that say how it is opened: `/r/code7?gclid=…
    HTTP/1.1`, `Host: …`. visitors: those that say who opens it.
    """

    targets: list[str]
    visitors: list[str]

    def write(self, folder: Path) -> None:
        """For wrk, whose script draws from the two files, and makes a GET of each.

        Not a HEAD: wrk waits for the body that an answer's length tells of, as nginx' does.
        """
        (folder / "targets").write_text("\n".join(self.targets))
        (folder / "visitors").write_text("\n".join(self.visitors))

    def draw(self, chance: Random) -> bytes:
        lines = f"{chance.choice(self.targets)}\t{chance.choice(self.visitors)}\t\t"
        head = chance.random() < _HEAD and not is_ahead(lines)
        return f"{'HEAD' if head else 'GET'} {lines}".replace("\t", "\r\n").encode()


def is_ahead(request: str) -> bool:
    """Whether it is fetched in case somebody follows the link."""
    return any(header in request for header in AHEAD)


def make_requests(*, odd: bool = True) -> Requests:
    """odd: whether some are fetched ahead, embedded, private, or come without a country."""
    chance = Random(3)
    # Zipf's law: the n-th code is opened 1/n as often as the first.
    weights = list(accumulate(1 / rank for rank in range(1, CODES + 1)))
    opened = chance.choices(range(1, CODES + 1), cum_weights=weights, k=_TARGETS)
    agents = [agent_of(number) for number in range(AGENTS)]
    addresses = [address_of(number) for number in range(ADDRESSES)]
    return Requests(
        [_target(chance, number, odd=odd) for number in opened],
        # Behind each address are several browsers.
        [
            visitor_of(
                chance, addresses[n % ADDRESSES], agents[(n + n // ADDRESSES) % AGENTS], odd=odd
            )
            for n in range(_VISITORS)
        ],
    )


def _target(chance: Random, number: int, *, odd: bool) -> str:
    host = HOST if number % OWN_HOST_EVERY else OWN_HOST
    lines = [f"/r/code{number}{query_of(chance)} HTTP/1.1", f"Host: {host}"]
    if odd and chance.random() < _FETCHED_AHEAD:
        lines.append(chance.choice(AHEAD))
    return "\t".join(lines)


def query_of(chance: Random) -> str:
    if chance.random() >= _WITH_PARAMETERS:
        return ""
    kind = chance.choice(("utm", "gclid", "subs", "to", "utm and gclid"))
    pairs: dict[str, str] = {}
    if "utm" in kind:
        pairs |= {"utm_source": "newsletter", "utm_medium": "email"}
        pairs["utm_campaign"] = f"autumn {chance.randrange(40)}"
    if "gclid" in kind:
        pairs["gclid"] = f"Cj0KCQ{chance.getrandbits(160):040x}"
    if kind == "subs":
        named = chance.randint(1, 5)
        pairs |= {f"sub{n}": f"place-{chance.randrange(1_000)}" for n in range(1, named + 1)}
    if kind == "to":
        pairs["to"] = f"/pricing/{chance.randrange(100)}"
    return f"?{urlencode(pairs)}"


def agent_of(number: int) -> str:
    if number % _CRAWLERS_EVERY == 0:
        name = _CRAWLERS[number // _CRAWLERS_EVERY % len(_CRAWLERS)]
        return f"Mozilla/5.0 (compatible; {name}/2.{number}; +http://crawler.example/about)"
    return (
        f"Mozilla/5.0 ({_SYSTEMS[number % len(_SYSTEMS)]}) AppleWebKit/537.36 (KHTML, like Gecko)"
        f" Chrome/{100 + number % 40}.0.{number}.0 Safari/537.36"
    )


def address_of(number: int) -> str:
    """From the ranges that are set aside for benchmarks and documentation; every fifth IPv6."""
    if number % 5 == 0:
        return f"2001:db8:{number:x}::{number:x}"
    return f"198.18.{number // 250}.{number % 250 + 1}"


def visitor_of(
    chance: Random,
    address: str,
    agent: str,
    *,
    sites: int = _SITES,
    unplaced: float = _UNPLACED,
    odd: bool = True,
) -> str:
    """sites: how many there are that they may come from. unplaced: share without a country.

    odd: as `make_requests`.
    """
    embedded = odd and chance.random() < _EMBEDDED
    lines = [
        f"User-Agent: {agent}",
        "Accept: text/html,application/xhtml+xml",
        f"Referer: https://blog{chance.randrange(sites)}.example/post",
        f"Sec-Fetch-Dest: {chance.choice(('image', 'iframe')) if embedded else 'document'}",
        f"X-Forwarded-For: {address}",
    ]
    if not odd or chance.random() >= unplaced:
        lines.append(f"CF-IPCountry: {chance.choice(COUNTRIES)}")
    if odd and chance.random() < _PRIVATE:
        lines.append("Sec-GPC: 1")
    return "\t".join(lines)
