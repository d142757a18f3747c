"""The real processes: they start, answer, come back after any death, and leave nothing behind."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from shutil import which

import pytest

from app.db import embedded
from tests.service import Service, alive, clean_environment, free_port, serve

SECRET = "s" * 40
STOP_S = 5.0
SECOND_START_S = 5.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a space in its path, below one that only its owner may enter."""
    private = tmp_path / "mode 0700"
    private.mkdir(mode=0o700)
    return private / "da ta"


@pytest.fixture
def demo(folder: Path) -> Iterator[Service]:
    with serve(folder, "--demo") as service:
        service.ready("redirect")
        service.ready("worker")
        yield service


def first_key(service: Service) -> str:
    found = re.search(r"ff_(live|test)_\w+", service.out.read_text())
    assert found
    return found[0]


def test_ctrl_c_ends_all_of_it_and_a_second_start_keeps_the_data(demo: Service) -> None:
    key = first_key(demo)
    assert demo.get("/livez") == 200
    assert demo.get("/v1/programs", key) == 200
    assert demo.get("/v1/programs", key[:-1] + "x") == 401
    started = demo.everything()
    assert len(started) > 5
    assert demo.stop() < STOP_S
    assert demo.process.returncode == 0
    assert alive(started) == []

    # What else the machine does only adds time, so the best of three counts.
    assert min(second_start(demo, key) for _ in range(3)) < SECOND_START_S


def second_start(first: Service, key: str) -> float:
    began = time.monotonic()
    with serve(first.data_dir, "--demo", port=first.port) as again:
        again.ready("redirect")
        again.ready("api")
        took = time.monotonic() - began
        assert again.get("/v1/programs", key) == 200
        assert "ff_" not in again.out.read_text()
    return took


@pytest.mark.skipif(not (which("curl") and which("openssl")), reason="needs curl and openssl")
def test_the_printed_commands_play_the_whole_story(demo: Service) -> None:
    demo.ready("api")
    _, _, story = demo.out.read_text().partition("\nBASE=")
    commands, _, _ = story.partition("\nFinderfee answers")
    played = subprocess.run(
        ["bash", "-euc", f"BASE={commands}"], capture_output=True, text=True, timeout=60, check=True
    )
    token, checkout, invoice, commission, balance, again = played.stdout.splitlines()
    assert len(token) == 60
    assert json.loads(checkout)["duplicate"] is False
    shown = json.loads(commission)
    assert (shown["amount"], shown["currency"], shown["status"]) == (2000, "usd", "pending")
    assert shown["explanation"]
    assert json.loads(balance)["data"][0]["pending"] == 2000
    assert json.loads(again) == {**json.loads(invoice), "duplicate": True}

    explained = run(demo.data_dir, demo.port, "explain", shown["id"])
    assert "pays 20 % of 100.00 USD: 20.00 USD" in explained.stdout
    for reason in shown["explanation"]:
        assert reason["text"] in explained.stdout
    assert run(demo.data_dir, demo.port, "verify").returncode == 0
    demo.stop()
    # Without a running service the commands start Postgres for the while, and end it.
    verified = run(demo.data_dir, demo.port, "verify")
    assert "decisions and 1 transfers recomputed: all hold." in verified.stdout
    assert not embedded.is_running(demo.data_dir)
    nothing = run(demo.data_dir / "other", demo.port, "verify")
    assert nothing.returncode == 1
    assert "there is no data" in nothing.stderr


def test_whatever_is_killed_comes_back(demo: Service) -> None:
    key = first_key(demo)
    for module in ("app.main", "app.worker"):
        killed = demo.child(module)
        killed.kill()
        killed.wait(5)
        demo.until(partial(running, demo, module), 10)
    demo.ready("api", 10)
    postmaster = demo.postmaster()
    postmaster.kill()
    demo.until(lambda: demo.get("/v1/programs", key) == 200 and demo.postmaster() != postmaster, 15)
    demo.ready("worker", 15)


def running(service: Service, module: str) -> bool:
    try:
        return service.child(module).is_running()
    except ValueError:
        return False


def test_after_everything_is_killed_the_next_start_recovers(demo: Service, folder: Path) -> None:
    key = first_key(demo)
    demo.kill_everything()
    with serve(folder, "--demo", port=demo.port) as again:
        again.ready("redirect")
        again.ready("worker")
        assert again.get("/v1/programs", key) == 200


def test_children_end_with_their_parent_and_postgres_is_adopted(
    demo: Service, folder: Path
) -> None:
    children = [demo.child("app.main"), demo.child("app.worker")]
    postmaster = demo.postmaster()
    demo.process.kill()
    demo.process.wait(5)
    demo.until(lambda: alive(children) == [], STOP_S)
    with serve(folder, "--demo", port=demo.port) as again:
        again.ready("api", 10)
        assert again.postmaster() == postmaster
        refused = run(folder, free_port(), "serve")
        assert refused.returncode == 1
        assert "another finderfee serves" in refused.stderr


def test_on_ones_own_postgres_there_is_no_embedded_one_and_no_demo(
    folder: Path, fresh_database_url: str
) -> None:
    own = {"DATABASE_URL": fresh_database_url, "FINDERFEE_SECRET_KEYS": SECRET}
    given = {"FINDERFEE_BOOTSTRAP_API_KEY": "given-" * 8}
    refused = run(folder, free_port(), "serve", "--demo", **own)
    assert refused.returncode == 1
    assert "--demo is refused" in refused.stderr
    unsafe = run(folder, free_port(), "serve", DATABASE_URL=fresh_database_url)
    assert unsafe.returncode == 1
    assert "FINDERFEE_SECRET_KEYS" in unsafe.stderr

    with serve(folder, "--workers", "2", environment=own | given) as service:
        service.ready("api")
        service.until(lambda: service.get("/v1/programs", "given-" * 8) == 200)
        service.ready("worker")
        assert "given-" not in service.out.read_text()
        assert not (folder / "postgres").exists()
        assert (folder / "web-2").exists()
        assert service.stop() < STOP_S


def run(
    folder: Path, port: int, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        env=clean_environment(folder, port) | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
