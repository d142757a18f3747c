import mmap
import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from app.redirect import recent
from app.redirect.recent import NAME, Recent, fingerprint

NOW = 1_790_000_000
WINDOW = 3_600


def opened(folder: Path, *, window_s: int = WINDOW, unhashed_clicks: int = 3) -> Recent:
    return Recent.open(folder, window_s=window_s, unhashed_clicks=unhashed_clicks)


def key(number: int, *, bucket: int = 7) -> bytes:
    """One of many keys that share a bucket."""
    return (number << 32 | bucket).to_bytes(8)


def test_a_window_begins_with_its_first_click_and_does_not_slide(tmp_path: Path) -> None:
    table = opened(tmp_path)
    assert not table.seen(key(1), NOW)
    assert table.seen(key(1), NOW + 1)
    assert table.seen(key(1), NOW + WINDOW - 1)
    assert not table.seen(key(1), NOW + WINDOW)
    assert table.seen(key(1), NOW + 2 * WINDOW - 1)
    assert not table.seen(key(1), NOW + 2 * WINDOW)


def test_knowing_begins_nothing(tmp_path: Path) -> None:
    table = opened(tmp_path)
    assert not table.knows(key(1), NOW)
    assert not table.seen(key(1), NOW)
    assert table.knows(key(1), NOW + WINDOW - 1)
    assert not table.knows(key(1), NOW + WINDOW)


def test_another_link_or_visitor_is_another_key() -> None:
    visitor, link = os.urandom(8), os.urandom(16)
    keys = {
        fingerprint(visitor, link),
        fingerprint(os.urandom(8), link),
        fingerprint(visitor, os.urandom(16)),
    }
    assert len(keys) == 3
    assert {len(one) for one in keys} == {8}


MOVES = st.lists(
    st.tuples(
        # Eight keys a bucket at most: within it nothing has to make room.
        st.integers(1, 8),
        st.sampled_from([0, 1, 2, 2**18 - 1]),
        st.sampled_from([0, 1, 5, 600, WINDOW - 1, WINDOW, WINDOW + 1, 90_000]),
    ),
    max_size=80,
)


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_it_is_a_dictionary_of_first_clicks(moves: list[tuple[int, int, int]]) -> None:
    table = Recent(mmap.mmap(-1, recent._BYTES), window_s=WINDOW, unhashed_clicks=1)
    first: dict[bytes, int] = {}
    now = NOW
    for number, bucket, later in moves:
        now += later
        one = key(number, bucket=bucket)
        expected = one in first and now - first[one] < WINDOW
        assert table.knows(one, now) == expected
        assert table.seen(one, now) == expected
        if not expected:
            first[one] = now


def test_the_oldest_of_a_full_bucket_makes_room(tmp_path: Path) -> None:
    table = opened(tmp_path)
    for number in range(1, 10):
        assert not table.seen(key(number), NOW + number)
    assert not table.knows(key(1), NOW + 10)
    assert all(table.knows(key(number), NOW + 10) for number in range(2, 10))
    assert not table.knows(key(2, bucket=8), NOW + 10)


def test_a_clock_that_is_set_back_leaves_nobody_a_duplicate_for_long(tmp_path: Path) -> None:
    table = opened(tmp_path)
    ahead = NOW + 10 * WINDOW
    for number in range(1, 9):
        table.seen(key(number), ahead)
    assert not table.seen(key(1), NOW)
    assert table.seen(key(1), NOW + 1)
    # What lies in the future makes room before anything else.
    assert not table.seen(key(9), NOW + 2)
    assert table.knows(key(1), NOW + 2)
    # A process that read its clock a moment earlier is no clock gone wrong.
    assert table.seen(key(9), NOW + 1)


def test_clicks_without_a_hash_are_capped_per_link_and_window(tmp_path: Path) -> None:
    table = opened(tmp_path, unhashed_clicks=3)
    link, other = os.urandom(16), os.urandom(16)
    start = NOW // WINDOW * WINDOW
    assert [table.over_cap(link, start + at) for at in range(5)] == [False] * 3 + [True] * 2
    assert not table.over_cap(other, start)
    assert table.over_cap(link, start + WINDOW - 1)
    assert not table.over_cap(link, start + WINDOW)


def test_the_least_clicked_link_makes_room_for_a_count(tmp_path: Path) -> None:
    table = opened(tmp_path, unhashed_clicks=5)
    links = [bytes(8) + key(number) for number in range(1, 9)]
    for times, link in enumerate(links, 1):
        for _ in range(times):
            table.over_cap(link, NOW)
    assert not table.over_cap(bytes(8) + key(9), NOW)
    # The first link's count is gone, the others' are not.
    assert [table.over_cap(link, NOW) for link in links[4:]] == [True] * 4
    assert [table.over_cap(links[3], NOW) for _ in range(2)] == [False, True]


def test_a_cap_beyond_what_fits_is_never_reached(tmp_path: Path) -> None:
    table = opened(tmp_path, unhashed_clicks=2**40)
    assert not any(table.over_cap(bytes(16), NOW) for _ in range(100))


ASK = """
import sys, pathlib
from app.redirect.recent import Recent
table = Recent.open(pathlib.Path(sys.argv[1]), window_s=3600, unhashed_clicks=3)
for line in sys.stdin:
    what, key, now = line.split()
    ask = table.seen if what == "seen" else table.over_cap
    print(int(ask(bytes.fromhex(key), int(now))), flush=True)
"""


def test_processes_of_a_node_see_each_others_visitors(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ASK, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:

        def asked(what: str, about: bytes, now: int) -> str:
            assert other.stdin is not None and other.stdout is not None
            other.stdin.write(f"{what} {about.hex()} {now}\n")
            other.stdin.flush()
            return other.stdout.readline().strip()

        table = opened(tmp_path)
        assert asked("seen", key(1), NOW) == "0"
        assert table.seen(key(1), NOW + 1)
        assert not table.seen(key(2), NOW)
        assert asked("seen", key(2), NOW + 1) == "1"
        link = os.urandom(16)
        assert not table.over_cap(link, NOW)
        assert [asked("cap", link, NOW) for _ in range(3)] == ["0", "0", "1"]
        assert table.over_cap(link, NOW)
        # Killed in the middle of whatever: the other goes on.
        other.kill()
        assert table.seen(key(1), NOW + 2)


def test_a_restart_remembers(tmp_path: Path) -> None:
    assert not opened(tmp_path).seen(key(1), NOW)
    assert opened(tmp_path).seen(key(1), NOW + 1)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_what_is_none_of_ours_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / NAME
    opened(tmp_path).seen(key(1), NOW)
    whole = path.read_bytes()
    for wrong in (b"", whole[:-8], whole + b"\0", b"finderfee recent 0" + whole[18:]):
        path.unlink()
        path.write_bytes(wrong)
        table = opened(tmp_path)
        assert path.stat().st_size == len(whole)
        assert not table.seen(key(1), NOW + 1)
        assert opened(tmp_path).seen(key(1), NOW + 1)


def test_nonsense_in_the_file_classes_wrongly_and_no_more(tmp_path: Path) -> None:
    opened(tmp_path)
    with (tmp_path / NAME).open("r+b") as file:
        file.seek(recent._HEADER_BYTES)
        file.write(os.urandom(recent._BYTES - recent._HEADER_BYTES))
    table = opened(tmp_path)
    for _ in range(2_000):
        one = os.urandom(8)
        table.seen(one, NOW)
        assert table.seen(one, NOW)
        table.over_cap(os.urandom(16), NOW)


ALONE = """
import pathlib, resource, sys
from app.redirect.recent import Recent
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
folder = pathlib.Path(sys.argv[1])
table = Recent.open(folder, window_s=3600, unhashed_clicks=3)
key, now = bytes(7) + b"x", 1_790_000_000
print(table.seen(key, now), table.seen(key, now), (folder / "recent").exists())
"""


def test_without_room_on_disk_a_process_goes_by_what_it_saw_itself(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == "False True False"
    assert "recent.not_shared" in run.stdout + run.stderr
    assert not opened(tmp_path).seen(key(1), NOW)


WRITE = """
import pathlib, sys
from app.redirect.recent import Recent
table = Recent.open(pathlib.Path(sys.argv[1]), window_s=60, unhashed_clicks=3)
marks = [int(digit * 8, 16) for digit in sys.argv[2]]
print("ready", flush=True)
while True:
    for mark in marks:
        # Neither is a duplicate of the other, so that both are written down.
        for at in (mark & 0x7fffffff, (mark & 0x7fffffff) + 1_000):
            table.seen((mark << 32 | 7).to_bytes(8), at)
"""


def test_no_process_sees_half_of_what_another_writes(tmp_path: Path) -> None:
    table = opened(tmp_path)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path), digits], stdout=subprocess.PIPE, text=True
        )
        for digits in ("12345678", "9abcdef0")
    ]
    seen: set[int] = set()
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for _ in range(100_000):
            seen.update(table._visits[7 * 8 : 8 * 8].tolist())
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert len(seen) > 8
    for word in seen - {0}:
        mark = word >> 32
        assert mark % 0x1111_1111 == 0
        assert (word & 0xFFFF_FFFF) - (mark & 0x7FFF_FFFF) in (0, 1_000)
