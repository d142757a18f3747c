"""A caller of the API with a key of its own, and what tests make through it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from app.core.click_token import ClickToken, sign
from app.db.engine import Database
from app.ids import decode, first_at, uuid7
from app.program.workspaces.create import create

PLAN: dict[str, Any] = {
    "hold_days": 30,
    "attribution": {"model": "last_click", "window_days": 60},
    "combine": "first_match",
    "rules": [{"id": "standard", "pay": {"to": "partner", "percent_bps": 2000}}],
}


class Api:
    """`await api.post("/links", {...})`: the JSON of the answer, whose status must be `status`."""

    def __init__(self, app: FastAPI, key: str) -> None:
        self.app = app
        self.key = key

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        once: str | bytes | None = None,
    ) -> httpx.Response:
        """once: an idempotency key."""
        # Answers of a bug (500) are wanted as they are sent, not as exceptions.
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        headers = {b"Authorization": f"Bearer {self.key}".encode()} if self.key else {}
        if once is not None:
            headers[b"Idempotency-Key"] = once if isinstance(once, bytes) else once.encode()
        body = {"content": content} if content is not None else {"json": json}
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            sent: dict[str, Any] = {} if json is None and content is None else body
            return await client.request(method, f"/v1{path}", headers=headers, **sent)

    async def get(self, path: str, status: int = 200) -> Any:
        return read(await self.send("GET", path), status)

    async def all(self, path: str) -> list[Any]:
        """Every page of a list. path: with its query, if it has one."""
        found: list[Any] = []
        own = f"{path}{'&' if '?' in path else '?'}limit=100"
        after = ""
        while True:
            page = await self.get(f"{own}{after}")
            found += page["data"]
            if not page["has_more"]:
                return found
            after = f"&starting_after={found[-1]['id']}"

    async def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        return read(await self.send("POST", path, json=body), status)

    async def patch(self, path: str, body: Any, status: int = 200) -> Any:
        return read(await self.send("PATCH", path, json=body), status)

    async def delete(self, path: str, status: int = 200) -> Any:
        return read(await self.send("DELETE", path), status)

    async def with_scopes(self, *scopes: str) -> "Api":
        """Another key of the same workspace."""
        made = await self.post("/keys", {"name": "k", "scopes": scopes})
        return Api(self.app, made["key"])


def read(response: httpx.Response, status: int) -> Any:
    """The body, which is a whole problem if the status tells of one."""
    assert response.status_code == status, response.text
    if status >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "code", "detail"} <= response.json().keys()
    return response.json()


async def new_workspace(app: FastAPI, database: Database, *, first: bool = False) -> Api:
    """A workspace with an admin key."""
    async with database.tx() as tx:
        made = await create(tx, name="Test", mode="live", first=first)
    return Api(app, made.key.key)


def click_on(link: Any, app: FastAPI, at: datetime | None = None) -> str:
    """The token of a click, as a redirect would have given it. at: given none, just now."""
    made = uuid7()
    if at is not None:
        made = UUID(int=first_at(at).int | made.int & ((1 << 80) - 1))
    token = ClickToken(made, decode("link", link["id"]), "human")
    return sign(token, app.state.secret_keys.click_keys)


async def make_program(api: Api, **changes: Any) -> Any:
    return await api.post(
        "/programs",
        {
            "name": "Friends",
            "currency": "usd",
            "destination_hosts": ["shop.example.com", "localhost:3000"],
            "default_destination": "https://shop.example.com/",
            "plan": PLAN,
            **changes,
        },
    )


async def make_partner(api: Api, program: Any, **changes: Any) -> Any:
    body = {"program_id": program["id"], "name": "Ana", "email": "ana@example.com", **changes}
    return await api.post("/partners", body)


async def make_link(api: Api, partner: Any, **changes: Any) -> Any:
    program_id = partner["enrollments"][0]["program_id"]
    return await api.post(
        "/links", {"program_id": program_id, "partner_id": partner["id"], **changes}
    )
