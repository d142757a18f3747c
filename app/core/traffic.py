"""Traffic classes: what opened a link, as far as its request tells, and why we say so.

What the request itself shows (fetched ahead, HEAD, part of a page) comes before what its agent
claims to be: the first is a fact, the second anybody may write.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

HUMAN: Final = "human"
DUPLICATE: Final = "duplicate"
BOT: Final = "bot"
PREFETCH: Final = "prefetch"
PREVIEW: Final = "preview"
HEAD: Final = "head"
EMBEDDED: Final = "embedded"

CLASSES: Final[Mapping[str, int]] = {
    HUMAN: 1,
    DUPLICATE: 2,
    BOT: 3,
    PREFETCH: 4,
    PREVIEW: 5,
    HEAD: 6,
    EMBEDDED: 7,
}
"""Class → its number in tokens, journals and `clicks.traffic_class`. Numbers are never reused."""

NAMES: Final[Mapping[int, str]] = {number: name for name, number in CLASSES.items()}

REASONS: Final[Mapping[str, int]] = {
    "none": 0,
    # prefetch: by the header that says so.
    "sec_purpose": 1,
    "purpose": 2,
    "x_purpose": 3,
    "x_moz": 4,
    # head: by the method.
    "head_method": 10,
    # embedded: by Sec-Fetch-Dest.
    "embedded_image": 20,
    "embedded_frame": 21,
    "embedded_fetch": 22,
    "embedded_resource": 23,
    # preview and bot: by the agent.
    "agent_preview": 30,
    "agent_empty": 40,
    "agent_bot": 41,
    "agent_search": 42,
    "agent_ai": 43,
    "agent_monitor": 44,
    "agent_tool": 45,
    # duplicate: by what is remembered of earlier clicks on the link.
    "same_visitor": 50,
    "no_hash_cap": 51,
}
"""Why a click has its class → its number in journals and `clicks.class_reason`, at most 255.

0 is the plain human; of clicks from before reasons were recorded too. Numbers are never reused.
"""

REASON_NAMES: Final[Mapping[int, str]] = {number: name for name, number in REASONS.items()}


class AgentKind(IntEnum):
    """What an agent says it is."""

    HUMAN = 0
    """A browser or an app, or nothing that we know."""
    EMPTY = 1
    PREVIEW = 2
    """Fetches what a chat, mail or feed shows of a link before anybody follows it."""
    BOT = 3
    SEARCH = 4
    AI = 5
    MONITOR = 6
    TOOL = 7
    """A program's HTTP library or a command line."""


class Verdict(NamedTuple):
    """A class and why: numbers of `CLASSES` and `REASONS`."""

    number: int
    reason: int


def _verdict(traffic_class: str, reason: str) -> Verdict:
    return Verdict(CLASSES[traffic_class], REASONS[reason])


# Made once: judging a request allocates nothing.
HUMAN_VERDICT: Final = _verdict(HUMAN, "none")
SAME_VISITOR_VERDICT: Final = _verdict(DUPLICATE, "same_visitor")
NO_HASH_CAP_VERDICT: Final = _verdict(DUPLICATE, "no_hash_cap")
_HEAD_VERDICT: Final = _verdict(HEAD, "head_method")

_AHEAD: Final = (
    (b"sec-purpose", _verdict(PREFETCH, "sec_purpose")),
    (b"purpose", _verdict(PREFETCH, "purpose")),
    (b"x-purpose", _verdict(PREFETCH, "x_purpose")),
    (b"x-moz", _verdict(PREFETCH, "x_moz")),
)
# A preview is shown to somebody as soon as they follow the link, without asking us again.
_PURPOSES: Final = (b"prefetch", b"prerender", b"preview")

_RESOURCE_VERDICT: Final = _verdict(EMBEDDED, "embedded_resource")
_FRAME_VERDICT: Final = _verdict(EMBEDDED, "embedded_frame")
_DESTINATIONS: Final[Mapping[bytes, Verdict]] = {
    b"document": HUMAN_VERDICT,
    b"": HUMAN_VERDICT,
    b"image": _verdict(EMBEDDED, "embedded_image"),
    b"iframe": _FRAME_VERDICT,
    b"frame": _FRAME_VERDICT,
    b"fencedframe": _FRAME_VERDICT,
    b"object": _FRAME_VERDICT,
    b"embed": _FRAME_VERDICT,
    b"empty": _verdict(EMBEDDED, "embedded_fetch"),
}
"""Sec-Fetch-Dest → verdict, where a human's means: the request doesn't tell."""

_AGENTS: Final = {
    AgentKind.HUMAN: HUMAN_VERDICT,
    AgentKind.EMPTY: _verdict(BOT, "agent_empty"),
    AgentKind.PREVIEW: _verdict(PREVIEW, "agent_preview"),
    AgentKind.BOT: _verdict(BOT, "agent_bot"),
    AgentKind.SEARCH: _verdict(BOT, "agent_search"),
    AgentKind.AI: _verdict(BOT, "agent_ai"),
    AgentKind.MONITOR: _verdict(BOT, "agent_monitor"),
    AgentKind.TOOL: _verdict(BOT, "agent_tool"),
}


def classify(method: str, headers: Mapping[bytes, bytes], agent: AgentKind) -> Verdict:
    """Judge one request by itself. headers: lowercase names, as ASGI has them.

    In this order: fetched ahead, HEAD, part of a page, preview or bot by its agent, human.
    Source: Sec-Purpose and Sec-Fetch-Dest are the Fetch standard's; the others are what browsers
    sent before it (Purpose, X-Moz) and Safari and Facebook's apps still send (X-Purpose).
    """
    for name, verdict in _AHEAD:
        value = headers.get(name)
        # `prefetch;prerender` and `prefetch;anonymous-client-ip` are prefetches too.
        if value is not None and _is_ahead(value):
            return verdict
    if method == "HEAD":
        return _HEAD_VERDICT
    destination = headers.get(b"sec-fetch-dest")
    if destination is not None and destination != b"document":
        verdict = _DESTINATIONS.get(destination.strip().lower(), _RESOURCE_VERDICT)
        if verdict is not HUMAN_VERDICT:
            return verdict
    return _AGENTS[agent]


def judge_told(agent: AgentKind) -> Verdict:
    """Judge a click that somebody tells of: only the agent is the visitor's."""
    return _AGENTS[agent]


def _is_ahead(purpose: bytes) -> bool:
    purpose = purpose.lower()
    return any(word in purpose for word in _PURPOSES)
