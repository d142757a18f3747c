"""Each pair of facts that can meet in one request has a row: which of them decides, and why."""

import pytest

from app.core.candidates import COUNTING_CLASSES
from app.core.traffic import (
    CLASSES,
    HUMAN_VERDICT,
    NAMES,
    NO_HASH_CAP_VERDICT,
    REASON_NAMES,
    REASONS,
    SAME_VISITOR_VERDICT,
    AgentKind,
    Verdict,
    classify,
    judge_told,
)

HUMAN, BOT, PREVIEW, EMPTY = AgentKind.HUMAN, AgentKind.BOT, AgentKind.PREVIEW, AgentKind.EMPTY
Headers = dict[bytes, bytes]


def named(verdict: Verdict) -> tuple[str, str]:
    return NAMES[verdict.number], REASON_NAMES[verdict.reason]


def dest(value: bytes) -> Headers:
    return {b"sec-fetch-dest": value}


@pytest.mark.parametrize(
    ("method", "headers", "agent", "expected"),
    [
        ("GET", {}, HUMAN, ("human", "none")),
        ("GET", dest(b"document"), HUMAN, ("human", "none")),
        ("GET", dest(b"Document "), HUMAN, ("human", "none")),
        ("GET", dest(b""), HUMAN, ("human", "none")),
        ("GET", {b"sec-purpose": b""}, HUMAN, ("human", "none")),
        ("GET", {b"purpose": b"navigation"}, HUMAN, ("human", "none")),
        # Fetched ahead.
        ("GET", {b"sec-purpose": b"prefetch"}, HUMAN, ("prefetch", "sec_purpose")),
        ("GET", {b"sec-purpose": b"prefetch;prerender"}, HUMAN, ("prefetch", "sec_purpose")),
        (
            "GET",
            {b"sec-purpose": b"prefetch;anonymous-client-ip"},
            HUMAN,
            ("prefetch", "sec_purpose"),
        ),
        ("GET", {b"purpose": b"Prefetch"}, HUMAN, ("prefetch", "purpose")),
        ("GET", {b"purpose": b"preview"}, HUMAN, ("prefetch", "purpose")),
        ("GET", {b"x-moz": b"prefetch"}, HUMAN, ("prefetch", "x_moz")),
        # Facebook's apps load a page so before it is tapped, and show what they loaded.
        ("GET", {b"x-purpose": b"preview"}, HUMAN, ("prefetch", "x_purpose")),
        (
            "GET",
            {b"x-moz": b"prefetch", b"sec-purpose": b"prefetch"},
            HUMAN,
            ("prefetch", "sec_purpose"),
        ),
        # HEAD.
        ("HEAD", {}, HUMAN, ("head", "head_method")),
        # Part of a page.
        ("GET", dest(b"image"), HUMAN, ("embedded", "embedded_image")),
        ("GET", dest(b"iframe"), HUMAN, ("embedded", "embedded_frame")),
        # One click somewhere on a page lets its scripts move a frame with `?1`.
        (
            "GET",
            {**dest(b"iframe"), b"sec-fetch-user": b"?1", b"sec-fetch-mode": b"navigate"},
            HUMAN,
            ("embedded", "embedded_frame"),
        ),
        ("GET", dest(b"frame"), HUMAN, ("embedded", "embedded_frame")),
        ("GET", dest(b"object"), HUMAN, ("embedded", "embedded_frame")),
        ("GET", dest(b"empty"), HUMAN, ("embedded", "embedded_fetch")),
        ("GET", dest(b"script"), HUMAN, ("embedded", "embedded_resource")),
        ("GET", dest(b"serviceworker"), HUMAN, ("embedded", "embedded_resource")),
        ("GET", dest(b"IMAGE"), HUMAN, ("embedded", "embedded_image")),
        ("GET", dest(b"document, image"), HUMAN, ("embedded", "embedded_resource")),
        ("GET", dest(b"\xff\x00"), HUMAN, ("embedded", "embedded_resource")),
        # By the agent.
        ("GET", {}, PREVIEW, ("preview", "agent_preview")),
        ("GET", {}, BOT, ("bot", "agent_bot")),
        ("GET", {}, EMPTY, ("bot", "agent_empty")),
        ("GET", {}, AgentKind.SEARCH, ("bot", "agent_search")),
        ("GET", {}, AgentKind.AI, ("bot", "agent_ai")),
        ("GET", {}, AgentKind.MONITOR, ("bot", "agent_monitor")),
        ("GET", {}, AgentKind.TOOL, ("bot", "agent_tool")),
        ("GET", dest(b"document"), BOT, ("bot", "agent_bot")),
        # Two facts at once: ahead, then HEAD, then part of a page, then the agent.
        ("HEAD", {b"sec-purpose": b"prefetch"}, HUMAN, ("prefetch", "sec_purpose")),
        (
            "GET",
            {b"sec-purpose": b"prefetch", **dest(b"empty")},
            HUMAN,
            ("prefetch", "sec_purpose"),
        ),
        ("GET", {b"purpose": b"prefetch"}, BOT, ("prefetch", "purpose")),
        ("GET", {b"x-purpose": b"preview"}, PREVIEW, ("prefetch", "x_purpose")),
        ("HEAD", dest(b"image"), HUMAN, ("head", "head_method")),
        ("HEAD", {}, BOT, ("head", "head_method")),
        ("HEAD", {}, PREVIEW, ("head", "head_method")),
        ("HEAD", {}, EMPTY, ("head", "head_method")),
        ("GET", dest(b"image"), BOT, ("embedded", "embedded_image")),
        ("GET", dest(b"empty"), PREVIEW, ("embedded", "embedded_fetch")),
        ("GET", dest(b"iframe"), EMPTY, ("embedded", "embedded_frame")),
    ],
)
def test_one_fact_decides(
    method: str, headers: Headers, agent: AgentKind, expected: tuple[str, str]
) -> None:
    assert named(classify(method, headers, agent)) == expected


def test_only_its_agent_judges_a_told_click() -> None:
    assert judge_told(HUMAN) is HUMAN_VERDICT
    assert named(judge_told(BOT)) == ("bot", "agent_bot")
    assert named(judge_told(PREVIEW)) == ("preview", "agent_preview")


def test_duplicates_earn_as_humans_do_and_no_other_class_does() -> None:
    may_earn = {named(v) for v in (HUMAN_VERDICT, SAME_VISITOR_VERDICT, NO_HASH_CAP_VERDICT)}
    assert may_earn == {
        ("human", "none"),
        ("duplicate", "same_visitor"),
        ("duplicate", "no_hash_cap"),
    }
    assert {name for name, _ in may_earn} == COUNTING_CLASSES < CLASSES.keys()


def test_numbers_are_for_good() -> None:
    assert CLASSES == {
        "human": 1, "duplicate": 2, "bot": 3, "prefetch": 4, "preview": 5, "head": 6, "embedded": 7,
    }  # fmt: skip
    assert REASONS == {
        "none": 0,
        "sec_purpose": 1, "purpose": 2, "x_purpose": 3, "x_moz": 4,
        "head_method": 10,
        "embedded_image": 20, "embedded_frame": 21, "embedded_fetch": 22, "embedded_resource": 23,
        "agent_preview": 30,
        "agent_empty": 40, "agent_bot": 41, "agent_search": 42, "agent_ai": 43,
        "agent_monitor": 44, "agent_tool": 45,
        "same_visitor": 50, "no_hash_cap": 51,
    }  # fmt: skip
    assert len(NAMES) == len(CLASSES)
    assert len(REASON_NAMES) == len(REASONS)
