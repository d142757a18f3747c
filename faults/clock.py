"""A clock that is wrong, and clicks of days that have no partition."""

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.core.click_token import verify
from app.core.traffic import CLASSES, HUMAN
from app.db.engine import Database
from app.redirect.journal_file import JournalFile, next_path
from app.redirect.journal_rows import JournalRow, pack
from app.redirect.partitions import make_partitions
from faults.preload import preload
from faults.stage import KEYS, Figures, Stage, promise, run, stage

RATE = 100
HOUR_S = 3_600.0
_PLACES = "SELECT id, tableoid::regclass::text AS place FROM clicks"
_DEFAULT = "clicks_default"


def clock(seed: int, *, phase_s: float = 5.0) -> Figures:
    """The service's clock jumps an hour ahead over midnight, back, an hour behind, and back.

    Promised: no click is lost or counted twice, each is dated by the clock as it was, and is in
    the partition of its day.
    """
    with stage() as here:
        shim = preload(here.folder)
        now = datetime.now(UTC)
        before_midnight = now.replace(hour=23, minute=30, second=0, microsecond=0) - now
        base_s = before_midnight.total_seconds()
        shim.clock(base_s)
        wrong: list[tuple[float, float]] = []
        with here.service(**shim.environment) as service:
            with here.crowd(service, seed, rate=RATE).visiting() as told:
                for ahead_s in (0, HOUR_S, 0, -HOUR_S, 0):
                    shim.clock(base_s + ahead_s)
                    wrong.append((time.monotonic(), base_s + ahead_s))
                    time.sleep(phase_s)
            promise(not told.refused and not told.cut_off, f"{dict(told.refused)}")
            account = here.account(told)
        days = _in_own_partitions(here)
        promise(len(days) == 2, f"clicks of {dict(days)}: midnight was not crossed")
        true_to_clock = 0
        monotonic_to_wall_s = time.time() - time.monotonic()
        for answer in told.answers:
            token = verify(answer.token, KEYS)
            assert token
            wrong_by_s = ([base_s] + [s for since, s in wrong if since <= answer.at])[-1]
            shown = answer.at + monotonic_to_wall_s + wrong_by_s
            true_to_clock += abs(token.at.timestamp() - shown) < 2
        promise(
            true_to_clock >= len(told.answers) * 0.99,
            f"{true_to_clock} of {len(told.answers)} clicks are dated by the clock of their time",
        )
        return {
            **{f"on_{day}": count for day, count in sorted(days.items())},
            "ids_of_the_clock": f"{true_to_clock}/{len(told.answers)}",
            **account.figures,
        }


def late(seed: int, *, clicks: int = 2_000) -> Figures:
    """A dead process' journals turn up with clicks of days that have no partition.

    Promised: each click is counted on its day at once and stored in the default partition, and
    `make_partitions` moves it to its day; those of impossible days stay and are told of.
    """
    dice = random.Random(seed)
    with stage() as here, here.service() as service:
        days = {-3: True, -40: True, -1_000: False, 30: False}
        for ago in days:
            _leave_journal(here, dice, ago, clicks)
        service.until(lambda: here.in_journals() == 0 and not _left(here), 60)
        places = Counter(row["place"] for row in here.rows(_PLACES))
        promise(places == {_DEFAULT: clicks * len(days)}, f"before the move: {dict(places)}")
        run(_partition(here.url))
        _in_own_partitions(here, strays=clicks * 2)
        # The day has its partition now.
        _leave_journal(here, dice, -3, clicks)
        service.until(lambda: here.in_journals() == 0 and not _left(here), 60)
        _in_own_partitions(here, strays=clicks * 2)
        (row,) = here.rows(
            "SELECT count(*) AS stored, (SELECT sum(clicks) FROM link_clicks) AS counted,"
            " (SELECT count(DISTINCT on_day) FROM link_clicks) AS days FROM clicks"
        )
        total = clicks * 5
        promise(row["stored"] == row["counted"] == total and row["days"] == 4, f"{dict(row)}")
        moved = sum(clicks for has_day in days.values() if has_day)
        return {"late": total, "moved": moved, "at_once": clicks, "left_in_default": clicks * 2}


def _leave_journal(here: Stage, dice: random.Random, days: int, clicks: int) -> None:
    """What a process that is gone left in its folder, days ago (or, its clock wrong, ahead)."""
    folder = here.data_dir / "web-9"
    folder.mkdir(exist_ok=True)
    (link,) = here.rows("SELECT id FROM links WHERE code = 'first'")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0) + timedelta(days=days)
    file = JournalFile(next_path(folder))
    for _ in range(clicks // 100):
        rows = [
            pack(
                JournalRow(
                    CLASSES[HUMAN],
                    _click_id(dice, midnight + timedelta(seconds=dice.uniform(0, 86_000))).bytes,
                    link["id"].bytes,
                    b"visitor",
                    b"",
                )
            )
            for _ in range(100)
        ]
        file.append(b"".join(rows), len(rows))
    file.close()


def _click_id(dice: random.Random, at: datetime) -> UUID:
    """A UUIDv7 of that time."""
    number = int(at.timestamp() * 1_000) << 80 | dice.getrandbits(80)
    return UUID(int=number & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)


def _left(here: Stage) -> list[str]:
    return [path.name for path in here.data_dir.glob("web-9/journal-*.log")]


async def _partition(url: str) -> None:
    """What the worker does each hour."""
    database = Database(url)
    try:
        async with database.tx() as tx:
            await make_partitions(tx)
    finally:
        await database.close()


def _in_own_partitions(here: Stage, *, strays: int = 0) -> Counter[str]:
    """How many clicks each day has; the run ends if one is not in its day's partition."""
    found: Counter[str] = Counter()
    in_default = 0
    for row in here.rows(_PLACES):
        day = datetime.fromtimestamp((row["id"].int >> 80) / 1_000, UTC)
        found[f"{day:%Y%m%d}"] += 1
        if row["place"] == _DEFAULT:
            in_default += 1
        else:
            wanted = f"clicks_{day:%Y%m%d}"
            promise(row["place"] == wanted, f"{row['id']} in {row['place']}, not in {wanted}")
    promise(in_default == strays, f"{in_default} clicks in the default partition, not {strays}")
    return found
