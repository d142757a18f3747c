"""Agents: crawlerdetect's answer on all that it knows, and names that people meet every day."""

import json
import random
import re
from importlib.resources import files
from time import thread_time

import pytest
from crawlerdetect import CrawlerDetect
from crawlerdetect.providers.crawlers import data as crawlers
from crawlerdetect.providers.exclusions import data as exclusions

from app.core.traffic import AgentKind
from app.redirect.agents import Agents, kind_of
from app.redirect.journal_rows import AGENT_BYTES

ANDROID = "Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv)"
WEBVIEW = f"{ANDROID} AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.134"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15"
IOS = f"{IPHONE} (KHTML, like Gecko) Mobile/15E148"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"{MAC} Chrome/126.0.0.0 Safari/537.36"
OLD_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4"

IMESSAGE = "facebookexternalhit/1.1 Facebot Twitterbot/1.0"

HUMANS = [
    CHROME,
    "Mozilla/5.0",
    f"{IPHONE} (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    # Browsers inside of apps.
    f"{WEBVIEW} Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/470.0.0.45.81;]",
    f"{IOS} [FBAN/FBIOS;FBAV/466.1.0.51.74;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS]",
    f"{IOS} Instagram 335.0.8.26.85 (iPhone14,5; iOS 17_5_1; en_US; en; scale=3.00)",
    f"{WEBVIEW} Mobile Safari/537.36 Instagram 335.0.0.39.93 Android (34/14; 450dpi)",
    f"{IOS} musical_ly_34.9.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/en",
    f"{IOS} [LinkedInApp]/9.29.8962",
    f"{IOS} Twitter for iPhone/10.46",
    f"{WEBVIEW} Mobile Safari/537.36 TwitterAndroid",
    f"{IOS} Snapchat/12.93.0.41 (iPhone14,5; iOS 17.5.1; gzip)",
    f"{IOS} [Pinterest/iOS]",
    f"{WEBVIEW} Mobile Safari/537.36 [Pinterest/Android]",
    f"{IOS} Line/14.9.0",
    f"{WEBVIEW} Mobile Safari/537.36 Viber/22.7.1.0",
    f"{WEBVIEW} Mobile Safari/537.36 Telegram-Android/10.14.5",
    f"{IOS} MicroMessenger/8.0.49(0x1800312c) NetType/WIFI Language/en",
    f"{IOS} GSA/323.0.647062479 Safari/604.1",
    f"{WEBVIEW} Mobile Safari/537.36 GSA/15.24.40.28.arm64",
    f"{WEBVIEW} Mobile Safari/537.36 BytedanceWebview/d8a21c6 trill_340905",
    f"{WEBVIEW} Mobile Safari/537.36 KAKAOTALK 2410650",
    f"{IOS} NAVER(inapp; search; 2000; 12.6.1; 14PRO)",
    f"{IOS} Zalo iOS/604 ZaloTheme/light ZaloLanguage/vn",
    f"{IOS} Barcelona 335.0.0.31.94 (iPhone14,5; iOS 17_5_1)",
    f"{WEBVIEW} Mobile Safari/537.36 Reddit/Version 2024.25.3/Build 1682",
    f"{WEBVIEW} Mobile DuckDuckGo/5 Safari/537.36",
    f"{ANDROID} AppleWebKit/537.36 SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
    f"{ANDROID} AppleWebKit/537.36 UCBrowser/13.8.0.1325 Mobile Safari/537.36",
    "Opera/9.80 (Android; Opera Mini/36.2.2254/191.283; U; en) Presto/2.12.423 Version/12.16",
    f"{ANDROID.replace('SM-S918B', 'CUBOT X30')} AppleWebKit/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Müller's browser \xa0 \xe9\xff",
    "x" * AGENT_BYTES,
]

PREVIEWS = [
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Slack-ImgProxy (+https://api.slack.com/robots)",
    "Twitterbot/1.0",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    # What iMessage calls itself.
    f"{OLD_MAC} (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 {IMESSAGE}",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "TelegramBot (like TwitterBot)",
    "WhatsApp/2.24.13.78 A",
    "WhatsApp/2.2424.6 N",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft",
    "Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)",
    "Pinterest/0.2 (+https://www.pinterest.com/bot.html)Mozilla/5.0",
    "Mozilla/5.0 (compatible; Pinterestbot/1.0; +https://www.pinterest.com/bot.html)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Google-PageRenderer Google",
    "Google (+https://developers.google.com/+/web/snippet/)",
    "Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)",
    "Viber/13.3.0.5 CFNetwork/1335.0.3 Darwin/21.6.0",
    "facebookexternalhit/1.1;line-poker/1.0",
    "facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com/",
    "Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots",
    "Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; +mailto:support@bsky.app)",
    "http.rb/5.2.0 (Mastodon/4.3.0; +https://mastodon.social/) Bot",
    "Synapse (bot; +https://github.com/matrix-org/synapse)",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Tumblr/14.0.835.186",
]

NAMED = {
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": AgentKind.SEARCH,
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": AgentKind.SEARCH,
    # A search engine that shows links, too: what it shows is not what somebody sent.
    f"{MAC} Version/17.4 Safari/605.1.15 (Applebot/0.1; +http://apple.com/bot)": AgentKind.SEARCH,
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)": AgentKind.SEARCH,
    "Mozilla/5.0 AppleWebKit/537.36 (compatible; GPTBot/1.2; +https://openai.com/": AgentKind.AI,
    "Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)": AgentKind.AI,
    "meta-externalagent/1.1 (+https://developers.facebook.com/docs/crawler)": AgentKind.AI,
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)": AgentKind.MONITOR,
    f"{CHROME} Chrome-Lighthouse": AgentKind.MONITOR,
    "curl/8.8.0": AgentKind.TOOL,
    "python-requests/2.32.3": AgentKind.TOOL,
    "Go-http-client/2.0": AgentKind.TOOL,
    f"{MAC} HeadlessChrome/126.0.0.0 Safari/537.36": AgentKind.TOOL,
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)": AgentKind.BOT,
    "some-spider-of-mine": AgentKind.BOT,
    "": AgentKind.EMPTY,
    " \t ": AgentKind.EMPTY,
}


@pytest.fixture(scope="module")
def agents() -> Agents:
    return Agents()


@pytest.mark.parametrize("agent", HUMANS)
def test_people_are_people_in_whatever_app(agent: str, agents: Agents) -> None:
    assert agents.kind(agent.encode()) is AgentKind.HUMAN
    assert agents.kind(agent.encode("latin-1")) is AgentKind.HUMAN


@pytest.mark.parametrize("agent", PREVIEWS)
def test_what_unfurls_links_is_a_preview(agent: str, agents: Agents) -> None:
    assert agents.kind(agent.encode()) is AgentKind.PREVIEW


@pytest.mark.parametrize(("agent", "kind"), NAMED.items())
def test_bots_have_finer_names(agent: str, kind: AgentKind, agents: Agents) -> None:
    assert agents.kind(agent.encode()) is kind


def test_crawlerdetect_agrees_on_the_agents_that_people_use(agents: Agents) -> None:
    used = people()
    assert len(used) > 500
    assert [text for text in used if disagrees(text, agents)] == []
    assert sum(agents.kind(text.encode()) is AgentKind.HUMAN for text in used) == len(used)


@pytest.mark.parametrize("shape", ["{}", CHROME + " {}", "my{}/1.0", "Mozilla/5.0 ({}; x64)"])
def test_crawlerdetect_agrees_on_each_of_its_own_names(shape: str, agents: Agents) -> None:
    names = [re.sub(r"\\(.)", r"\1", pattern) for pattern in crawlers]
    assert [name for name in names if disagrees(shape.format(name), agents)] == []


def test_crawlerdetect_agrees_on_pieces_thrown_together(agents: Agents) -> None:
    dice = random.Random(7)
    pieces = [
        *(re.sub(r"[\\^$*+?()\[\]]", "", pattern) for pattern in (*crawlers, *exclusions)),
        *("Go 1.1 package http", "Java outbrain", "NewsBlur Page Finder", "YandexSearch", "Yandex"),
        *("\n", "\t", " ", "bo", "t", "é", "\xa0", "/1.", "_", "-"),
    ]
    soups = ["".join(dice.choices(pieces, k=dice.randint(1, 6)))[:120] for _ in range(1_500)]
    assert [soup for soup in soups if disagrees(soup, agents)] == []


def test_only_as_much_is_judged_as_is_recorded(agents: Agents) -> None:
    assert agents.kind(b"x" * AGENT_BYTES + b" Googlebot/2.1") is AgentKind.HUMAN


def test_no_agent_takes_long() -> None:
    dice = random.Random(7)
    hostile = [
        *(b"x", b"a-", b"0", b"Yandex", b"Yandexsearch", b"java", b"Go 1", b"like ", b"( "),
        *(b"NewsBlur ", b"Safari.", b"CPU OS 1_", b"Opera Mini/1.1.", b"; ID bo", b"\xff\x00"),
        bytes(dice.randrange(256) for _ in range(AGENT_BYTES)),
    ]
    for piece in hostile:
        agent = (piece * AGENT_BYTES)[:AGENT_BYTES]
        began = thread_time()
        kind_of(agent)
        # crawlerdetect's own pattern takes 6 to 47 ms for most of these.
        assert thread_time() - began < 0.01, piece


def test_a_flood_of_agents_stays_within_bounds() -> None:
    agents = Agents(size=100)
    for number in range(1_000):
        agents.kind(b"%d" % number)
    assert agents.remembered() == 100
    assert agents.kind(b"1") is AgentKind.HUMAN


def people() -> list[str]:
    lines = files("fake_useragent").joinpath("data/browsers.jsonl").read_text().splitlines()
    return sorted({json.loads(line)["useragent"] for line in lines})


def disagrees(text: str, agents: Agents) -> bool:
    """Whether crawlerdetect and we differ; a preview is a crawler to it, or not known to it."""
    raw = text.encode()[:AGENT_BYTES]
    kind = agents.kind(raw)
    if kind is AgentKind.PREVIEW:
        return False
    ours = kind not in {AgentKind.HUMAN, AgentKind.EMPTY}
    theirs: bool = CrawlerDetect(user_agent=raw.decode("latin-1")).is_crawler()
    return ours != theirs
