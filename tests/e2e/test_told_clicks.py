"""Clicks that are told to a node which serves no redirects: as safe as a redirect's."""

import signal
from pathlib import Path

import httpx

from tests.e2e.client import GIVEN, open_shop, until
from tests.service import serve

CLICKS = 20


def test_an_api_node_loses_no_told_click_when_it_is_killed(
    tmp_path: Path, story_database_url: str, http: httpx.Client
) -> None:
    given = GIVEN | {"DATABASE_URL": story_database_url}
    with serve(tmp_path / "data", "--role", "api", environment=given) as node:
        node.ready("api")
        shop = open_shop([node.url], http)
        ana = shop.partner()
        assert node.get(f"/r/{ana.code}") == 404
        told = {shop.post("/track/click", {"code": ana.code})["click_id"] for _ in range(CLICKS)}
        node.child("app.main").send_signal(signal.SIGKILL)
        assert len(told) == CLICKS
        (link,) = linked(node.url, http, shop.key)
        until(lambda: counted(node.url, http, shop.key, link) == {"human": CLICKS}, "lost", 20)


def linked(url: str, http: httpx.Client, key: str) -> list[str]:
    """The ids of the workspace's links; asked again until the node is back."""
    found: list[str] = []

    def answered() -> bool:
        try:
            answer = http.get(f"{url}/v1/links", headers={"Authorization": f"Bearer {key}"})
        except httpx.TransportError:
            return False
        if answer.status_code == 200:
            found[:] = [one["id"] for one in answer.json()["data"]]
        return bool(found)

    until(answered, "the node did not come back", 20)
    return found


def counted(url: str, http: httpx.Client, key: str, link: str) -> dict[str, int]:
    answer = http.get(f"{url}/v1/links/{link}", headers={"Authorization": f"Bearer {key}"})
    clicks: dict[str, int] = answer.json()["clicks"]
    return clicks
