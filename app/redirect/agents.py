"""What an agent says it is: crawlerdetect's answer, found fast, and a finer name for it.

crawlerdetect joins its 1,462 patterns into one `re`, which takes 40 ms for an agent that means
harm, and 5 s for a long one. Hyperscan looks for the same patterns at once, in linear time.
"""

import re
from functools import cache, lru_cache
from typing import Final

import hyperscan
from crawlerdetect.crawlerdetect import get_compiled_exclusions_regex
from crawlerdetect.providers.crawlers import data as CRAWLERS  # noqa: N812 (it is a constant)

from app.core.traffic import AgentKind
from app.redirect.journal_rows import AGENT_BYTES

_REMEMBERED: Final = 20_000

_PREVIEWS: Final = (
    *("slackbot", "slack-imgproxy", "twitterbot", "facebookexternalhit", "facebot"),
    *("linkedinbot", "discordbot", "telegrambot", "skypeuripreview", "redditbot"),
    *("pinterestbot", "pinterest.com/bot", "google-pagerenderer", "+/web/snippet", "vkshare"),
    *("line-poker", "kakaotalk-scrap", "snap url preview", "bluesky cardyb", "odklbot"),
    *("bitlybot", "embedly", "iframely", "unfurl", "xing-contenttab"),
    *("googleimageproxy", "yahoomailproxy", "linkpreview", "link preview"),
    *("matrix-org/synapse", "mattermost-bot", "rocket.chat", "trello", "notionbot"),
    *("bingpreview", "mastodon/", "misskey/", "pleroma", "lemmy/"),
)
"""What fetches a link to show it in a message or a feed; crawlerdetect knows most of them."""
_PREVIEW_STARTS: Final = ("whatsapp/", "viber", "tumblr/", "signal/", "pinterest/0.")
"""Names that people's in-app browsers have too, but never at the beginning."""

_KINDS: Final = (
    (
        AgentKind.AI,
        *("gptbot", "chatgpt", "oai-searchbot", "claude", "anthropic", "perplexity", "ccbot"),
        *("bytespider", "amazonbot", "meta-external", "mistralai", "cohere-ai", "diffbot"),
        *("google-extended", "applebot-extended", "duckassistbot", "youbot"),
    ),
    (
        AgentKind.SEARCH,
        *("googlebot", "adsbot-google", "mediapartners-google", "storebot-google", "googleother"),
        *("google-inspectiontool", "bingbot", "msnbot", "adidxbot", "yandex", "baiduspider"),
        *("duckduckbot", "slurp", "applebot", "petalbot", "sogou", "seznambot", "qwant", "yeti/"),
    ),
    (
        AgentKind.MONITOR,
        *("uptime", "pingdom", "statuscake", "site24x7", "newrelic", "datadog", "gtmetrix"),
        *("lighthouse", "hetrixtools", "updown.io", "check_http", "nagios", "zabbix", "checkly"),
        *("healthcheck", "health-check", "googlehc", "kube-probe", "prometheus", "freshping"),
    ),
    (
        AgentKind.TOOL,
        *("curl", "wget", "python", "aiohttp", "httpx", "go-http-client", "java/", "okhttp"),
        *("httpclient", "axios", "node-fetch", "undici", "guzzle", "libwww", "ruby", "php/"),
        *("postman", "insomnia", "httpie", "scrapy", "headless", "phantomjs", "selenium"),
        *("puppeteer", "playwright", "winhttp", "powershell", "dart/", "perl", "rust", "reqwest"),
    ),
)
"""Finer names for what crawlerdetect calls a crawler, the first that fits. They add none."""

_LOOKS_ROUND: Final = re.compile(r"\(\?[=!<]")
"""The one kind of pattern in crawlerdetect that Hyperscan can't do."""


class Agents:
    """Kinds of agents, the latest of them remembered: `agents.kind(headers[b"user-agent"])`."""

    def __init__(self, size: int = _REMEMBERED) -> None:
        """size: how many; one takes 700 bytes at most."""
        _crawlers()
        self._kind = lru_cache(size)(kind_of)

    def kind(self, agent: bytes) -> AgentKind:
        """Judge what will be recorded of an agent: it is cut as the journal cuts it."""
        return self._kind(agent[:AGENT_BYTES])

    def remembered(self) -> int:
        return self._kind.cache_info().currsize


def kind_of(agent: bytes) -> AgentKind:
    """Judge an agent of a bounded length, in less than a millisecond whatever it is."""
    text = agent.decode("latin-1").strip()
    if not text:
        return AgentKind.EMPTY
    words = text.lower()
    if words.startswith(_PREVIEW_STARTS) or any(name in words for name in _PREVIEWS):
        return AgentKind.PREVIEW
    if not _crawlers().found_in(text):
        return AgentKind.HUMAN
    for kind, *names in _KINDS:
        if any(name in words for name in names):
            return kind
    return AgentKind.BOT


class _Crawlers:
    """crawlerdetect's `is_crawler`, without its regular expression for crawlers."""

    def __init__(self) -> None:
        self._browsers = get_compiled_exclusions_regex()
        odd = [pattern for pattern in CRAWLERS if _LOOKS_ROUND.search(pattern)]
        self._odd = re.compile("|".join(odd), re.IGNORECASE) if odd else None
        plain = [pattern.encode() for pattern in CRAWLERS if pattern not in odd]
        self._database = hyperscan.Database()
        flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH
        self._database.compile(expressions=plain, flags=[flags] * len(plain))

    def found_in(self, text: str) -> bool:
        """text: stripped. What browsers say of themselves is taken out first, as it does."""
        rest = self._browsers.sub("", text)
        if not rest:
            return False
        found: list[int] = []
        self._database.scan(rest.encode("latin-1"), lambda number, *_: found.append(number))
        return bool(found) or (self._odd is not None and self._odd.search(rest) is not None)


@cache
def _crawlers() -> _Crawlers:
    """Compiled once a process: 0.1 s."""
    return _Crawlers()
