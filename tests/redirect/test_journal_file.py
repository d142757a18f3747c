import errno
import os
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.redirect.journal_file import (
    FIRST,
    Commit,
    JournalError,
    JournalFile,
    JournalReader,
    journals,
    next_path,
)
from app.redirect.journal_rows import JournalRow, pack, unpack
from app.redirect.journal_sqlite import SqliteReader

ROW = pack(JournalRow(1, b"c" * 16, b"l" * 16, b"agent", b"referrer"))

rows = st.builds(
    JournalRow,
    st.integers(0, 63),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
    st.binary(max_size=50),
    st.binary(max_size=50),
    st.binary(max_size=50),
    st.integers(0, 255),
    *(st.binary(max_size=size) for size in (8, 2, 6)),
)


@given(st.lists(rows, max_size=9))
def test_packed_rows_come_back(many: list[JournalRow]) -> None:
    assert unpack(b"".join(pack(row) for row in many)) == many


@given(st.binary(max_size=99))
def test_other_bytes_are_refused_or_whole_rows(raw: bytes) -> None:
    try:
        found = unpack(raw)
    except ValueError:
        return
    assert b"".join(pack(row) for row in found) == raw


def test_long_headers_are_cut() -> None:
    long = JournalRow(1, b"c" * 16, b"l" * 16, b"a" * 9_999, b"r" * 99_999)
    row = JournalRow._make(*unpack(pack(long)))
    assert (len(row.agent), len(row.referrer)) == (512, 1_024)


@pytest.mark.parametrize("content", [b"", b"ffcl", bytes(300_000)])
def test_a_file_that_never_got_its_head_is_empty(tmp_path: Path, content: bytes) -> None:
    path = next_path(tmp_path)
    path.write_bytes(content)
    assert all_of(path) == []


def test_a_file_that_lost_its_head_is_not_taken_for_empty(tmp_path: Path) -> None:
    """The drain removes an empty one."""
    _, content = written(tmp_path, [ROW, ROW * 100, ROW * 2])
    path = next_path(tmp_path)
    path.write_bytes(bytes(4_096) + content[4_096:])
    with pytest.raises(JournalError):
        JournalReader(path, left=True)


def test_a_write_that_was_cut_off_is_no_commit_and_no_damage(tmp_path: Path) -> None:
    whole, many = written(tmp_path, [ROW, ROW * 3_000])
    for cut in range(whole[0].end, whole[1].end, 997):
        torn = tmp_path / f"journal-{cut + 10:06}.log"
        torn.write_bytes(many[:cut] + bytes(len(many) - cut))
        with reading(torn, left=True) as reader:
            assert reader.after(0, max_clicks=9) == whole[:1]
            assert reader.damaged == 0


def test_a_file_that_was_told_how_far_another_is_stored_keeps_all_of_its_clicks(
    tmp_path: Path,
) -> None:
    file = JournalFile(next_path(tmp_path))
    file.append(ROW, 1, forget_to=1_000)
    for _ in range(20):
        file.append(ROW, 1)
    file.close()
    assert file.end > 1_000
    with reading(file.path, left=True) as reader:
        assert len(reader.after(reader.forgotten_to(), max_clicks=99)) == 21


def test_a_file_that_was_told_of_a_place_inside_its_first_commit_keeps_that_too(
    tmp_path: Path,
) -> None:
    file = JournalFile(next_path(tmp_path))
    file.append(ROW * 100, 100, forget_to=1_000)
    file.close()
    assert file.end > 1_000
    with reading(file.path, left=True) as reader:
        assert len(reader.after(reader.forgotten_to(), max_clicks=99)) == 1
        assert reader.damaged == 0


def test_a_damaged_journal_that_was_put_aside_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "journal-000001.damaged").touch()
    assert next_path(tmp_path).name == "journal-000002.log"


def test_what_a_bad_block_spoiled_is_told_and_costs_no_other_commit(tmp_path: Path) -> None:
    whole, content = written(tmp_path, [ROW, ROW * 100, ROW * 2, ROW * 3])
    spoiled = bytearray(content)
    spoiled[whole[0].end : whole[0].end + 512] = bytes(512)
    path = next_path(tmp_path)
    path.write_bytes(spoiled)
    assert all_of(path) == whole[:1], "who writes it may be in the middle of it"
    with reading(path, left=True) as reader:
        assert reader.after(0, max_clicks=999) == [whole[0], *whole[2:]]
        assert reader.after(whole[0].end, max_clicks=999) == whole[2:]
        assert reader.damaged == whole[1].end - whole[0].end, "read twice, told once"


@pytest.mark.parametrize("bad", [1, 2, 3], ids=["middle", "end", "zeros behind"])
def test_a_block_that_the_disk_refuses_is_told_and_costs_no_other_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    whole, content = written(tmp_path, [ROW, ROW * 80, ROW, ROW * 80, ROW])
    refused = bad * 4_096
    path = next_path(tmp_path)
    path.write_bytes(content)
    refusing(monkeypatch, refused)
    spoiled = {
        commit
        for before, commit in pairwise([Commit(FIRST, 0, b""), *whole])
        if before.end < refused + 4_096 and commit.end > refused
    }
    assert len(spoiled) == {1: 3, 2: 2, 3: 0}[bad]
    with reading(path, left=True) as reader:
        found = reader.after(reader.forgotten_to(), max_clicks=999)
        assert found == [commit for commit in whole if commit not in spoiled]
        assert reader.damaged


def test_a_head_that_the_disk_refuses_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, content = written(tmp_path, [ROW])
    path = next_path(tmp_path)
    path.write_bytes(content)
    refusing(monkeypatch, 0)
    with pytest.raises(JournalError):
        JournalReader(path, left=True)


def refusing(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """A disk that can't read the block there."""
    pread = os.pread

    def read(descriptor: int, size: int, place: int) -> bytes:
        if place < at + 4_096 and place + size > at:
            raise OSError(errno.EIO, "a bad block")
        return pread(descriptor, size, place)

    monkeypatch.setattr(os, "pread", read)


def test_a_spoiled_length_takes_no_memory(tmp_path: Path) -> None:
    whole, content = written(tmp_path, [ROW, ROW, ROW])
    spoiled = bytearray(content)
    spoiled[whole[0].end + 8 : whole[0].end + 12] = b"\xff" * 4
    path = next_path(tmp_path)
    path.write_bytes(spoiled)
    tracemalloc.start()
    try:
        with reading(path, left=True) as reader:
            assert reader.after(0, max_clicks=999) == [whole[0], whole[2]]
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


def test_a_copy_that_a_person_made_stops_no_start(tmp_path: Path) -> None:
    (tmp_path / "journal-000002.log").touch()
    for name in ("journal-000007-copy.log", "journal-000008.old.damaged", "journal-.log"):
        (tmp_path / name).touch()
    assert next_path(tmp_path).name == "journal-000009.log"
    assert [path.name for path in journals(tmp_path)] == ["journal-000002.log"]


def test_a_disk_that_cannot_be_read_costs_no_descriptor(tmp_path: Path) -> None:
    """The drain tries a left journal again and again."""
    path = next_path(tmp_path)
    path.mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(JournalError):
            JournalReader(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_visitor_cannot_write_a_record_of_the_file(tmp_path: Path) -> None:
    """Though the header holds one, whole, of another journal; and the block before is spoiled."""
    first, forged = written(tmp_path, [ROW * 7])
    record = forged[16 : first[0].end]
    agent = JournalRow(1, b"c" * 16, b"l" * 16, record[:512], b"")
    whole, content = written(tmp_path, [ROW, pack(agent) + record, ROW])
    spoiled = bytearray(content)
    spoiled[whole[0].end : whole[0].end + 30] = bytes(30)
    path = next_path(tmp_path)
    path.write_bytes(spoiled)
    with reading(path, left=True) as reader:
        assert reader.after(0, max_clicks=99) == [whole[0], whole[2]]


@pytest.mark.parametrize("version", [1, 2])
def test_a_journal_of_the_release_before_is_read(tmp_path: Path, version: int) -> None:
    path = tmp_path / "journal-000004.sqlite"
    sqlite_journal(path, version, [ROW, ROW * 2])
    reader = SqliteReader(path)
    assert [commit.rows for commit in reader.after(0, max_clicks=9)] == [ROW, ROW * 2]
    assert [commit.end for commit in reader.after(1, max_clicks=9)] == [2]
    reader.close()
    assert next_path(tmp_path).name == "journal-000005.log"


def test_another_releases_journal_is_not_guessed_at(tmp_path: Path) -> None:
    _, content = written(tmp_path, [ROW])
    path = next_path(tmp_path)
    path.write_bytes(content[:7] + b"\x63" + content[8:])
    with pytest.raises(JournalError):
        JournalReader(path)
    newer = tmp_path / "journal-000009.sqlite"
    sqlite_journal(newer, 99, [ROW])
    with pytest.raises(JournalError):
        SqliteReader(newer)


def written(folder: Path, rows: list[bytes]) -> tuple[list[Commit], bytes]:
    """A journal with these commits, and its bytes."""
    file = JournalFile(next_path(folder))
    for row in rows:
        file.append(row, 1)
    file.close()
    return all_of(file.path), file.path.read_bytes()


def all_of(path: Path) -> list[Commit]:
    with reading(path) as reader:
        return reader.after(0, max_clicks=10**9)


def sqlite_journal(path: Path, version: int, rows: list[bytes]) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "CREATE TABLE commits (number INTEGER PRIMARY KEY, clicks INTEGER, rows BLOB)"
    )
    connection.execute(f"PRAGMA user_version = {version}")
    connection.executemany("INSERT INTO commits (clicks, rows) VALUES (1, ?)", [(r,) for r in rows])
    connection.close()


@contextmanager
def reading(path: Path, *, left: bool = False) -> Iterator[JournalReader]:
    reader = JournalReader(path, left=left)
    try:
        yield reader
    finally:
        reader.close()
