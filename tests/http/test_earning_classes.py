"""What a click of each class earns: people's do, whatever else opens a link earns nobody."""

from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from uuid_utils import uuid7

from app.core.click_token import ClickToken, sign, verify
from app.core.traffic import CLASSES
from app.ids import decode
from tests.http.client import Api, make_link, make_partner, make_program

EARNING = {"human", "duplicate"}


@pytest.fixture
async def link(api: Api) -> Any:
    return await make_link(api, await make_partner(api, await make_program(api)))


async def sold(api: Api, click_id: str) -> Any:
    """The outcome of a first sale of 100.00 with this click."""
    answer = await api.post(
        "/track/sale",
        {
            "customer_external_id": "user-1", "amount": 10_000, "currency": "usd",
            "invoice_id": "INV-1", "click_id": click_id,
        },
        status=200,
    )  # fmt: skip
    return answer["outcome"]


@pytest.mark.parametrize("name", CLASSES)
async def test_only_people_s_clicks_earn(api: Api, app: FastAPI, link: Any, name: str) -> None:
    click = UUID(bytes=uuid7().bytes)
    token = ClickToken(click, decode("link", link["id"]), name)
    outcome = await sold(api, sign(token, app.state.secret_keys.click_keys))
    earned = [one["partner_id"] for one in outcome["commissions"]]
    assert earned == ([link["partner_id"]] if name in EARNING else [])
    why = [reason["code"] for reason in outcome["reasons"]]
    assert ("class_not_counted" in why) == (name not in EARNING)
    assert ("touch_counted" in why) == (name in EARNING)


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "bot"),
        ("python-requests/2.32.3", "bot"),
        ("WhatsApp/2.24.13.78 A", "preview"),
        (" ", "bot"),
        ("", "human"),
        (None, "human"),
    ],
)
async def test_a_told_agent_is_judged_and_an_untold_one_is_not(
    api: Api, app: FastAPI, link: Any, agent: str | None, name: str
) -> None:
    told = {"code": link["code"], "user_agent": agent}
    click_id = (await api.post("/track/click", told, status=200))["click_id"]
    token = verify(click_id, app.state.secret_keys.click_keys)
    assert token is not None
    assert token.traffic_class == name
    outcome = await sold(api, click_id)
    assert bool(outcome["commissions"]) == (name in EARNING)
    texts = [reason["text"] for reason in outcome["reasons"]]
    refused = [text for text in texts if f"was {name} traffic" in text]
    assert bool(refused) == (name not in EARNING)
