"""Impressions at real processes: an orderly end loses none, with Postgres or without."""

import threading
import time
from pathlib import Path
from typing import Any

import httpx

from tests.service import Service, serve

KEY = "ff_test_" + "k" * 38
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def test_what_was_shown_until_the_end_is_counted_once(tmp_path: Path) -> None:
    folder, environment = tmp_path / "data", {"FINDERFEE_BOOTSTRAP_API_KEY": KEY}
    shown = 0
    for postgres_dies in (False, True):
        with serve(folder, "--demo", environment=environment) as service:
            service.ready("redirect")
            service.ready("api")
            link = ask(service, "/v1/links")["data"][0]
            path = f"/i/{link['code']}.gif"
            shown += show(service, path, postgres_dies=postgres_dies)
    with serve(folder, "--demo", environment=environment) as service:
        service.ready("redirect")
        service.ready("api")
        counted = f"/v1/links/{link['id']}/traffic"
        service.until(lambda: human(ask(service, counted)) >= shown)
        time.sleep(1.5)
        assert human(ask(service, counted)) == shown
        assert list(folder.glob("web-*/impressions-*")) == []


def show(service: Service, path: str, *, postgres_dies: bool) -> int:
    """Show the pixel until the service has ended; how often it was answered."""
    answered = 0
    stopped = threading.Thread(target=service.stop)
    with httpx.Client(base_url=service.url, headers=BROWSER) as client:
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            assert client.get(path).status_code in (200, 202)
            answered += 1
        if postgres_dies:
            service.postmaster().kill()
        stopped.start()
        try:
            while client.get(path).status_code == 200:
                answered += 1
        except httpx.TransportError:
            pass
    stopped.join()
    return answered


def human(traffic: Any) -> int:
    return int(traffic["impressions"].get("human", 0))


def ask(service: Service, path: str) -> Any:
    answer = httpx.get(service.url + path, headers={"Authorization": f"Bearer {KEY}"}, timeout=5)
    assert answer.status_code == 200, answer.text
    return answer.json()
