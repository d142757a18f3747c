"""Visitors at two real web processes: known in both, after a kill, and while Postgres is away."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import httpx

from app.core.click_token import verify
from app.secret_keys import SecretKeys
from tests.e2e.client import GIVEN, SECRET_KEYS, Partner, Shop, open_shop
from tests.redirect.salting import NOBODY
from tests.service import Service, serve

KEYS = SecretKeys([SECRET_KEYS]).click_keys
CLICKS = 12


def processes(folder: Path, database_url: str, *arguments: str) -> AbstractContextManager[Service]:
    given: Mapping[str, str] = GIVEN | {"DATABASE_URL": database_url}
    return serve(folder, "--workers", "2", *arguments, environment=given)


def classes(shop: Shop, partner: Partner) -> list[str]:
    """The classes of one visitor's clicks, each on a connection of its own."""
    found = []
    for _ in range(CLICKS):
        with httpx.Client(timeout=20) as shop.http:
            token = verify(shop.click(partner), KEYS)
            assert token is not None
            found.append(token.traffic_class)
    return found


def test_a_visitor_is_known_in_every_process_and_after_their_deaths(
    tmp_path: Path, fresh_database_url: str
) -> None:
    folder = tmp_path / "data"
    known = ["duplicate"] * CLICKS
    with processes(folder, fresh_database_url) as service, httpx.Client(timeout=20) as http:
        service.all_ready(2)
        for role in ("redirect", "worker"):
            service.ready(role)
        shop = open_shop([service.url], http)
        first, second = shop.partner("Ana"), shop.partner("Bo")
        # A process that asked for salts before there were tables asks again within a second.
        service.until(lambda: classes(shop, first) == known)
        assert classes(shop, second) == ["human", *known[1:]]
        service.kill_everything()
    with processes(folder, NOBODY, "--role", "redirect") as service:
        service.ready("redirect")
        assert classes(replace(shop, urls=[service.url]), second) == known
