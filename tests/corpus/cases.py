"""What is frozen: stories of decisions, and messages with what they mean.

A story is what one workspace decided: its plans, its worlds, each decision's facts and the digest
of its outcome, as they are stored; and what came of it, for people to read and compare.
"""

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson

from app.conversions.proof.raw import Raw, read_again
from app.conversions.proof.replay import Replay, replay
from app.core.conversions import Conversion, Given
from app.core.plans import parse, parse_agreement
from app.core.transfers import Transfer
from app.core.world import PlanFact

Json = dict[str, Any]
FOLDER: Final = Path(__file__).parent
FROZEN: Final = FOLDER / "frozen.json"
"""By file: its SHA-256, and how much is in it."""


def files(kind: str) -> list[Path]:
    """The oldest first. kind: decisions or messages."""
    return sorted(FOLDER.glob(f"{kind}-*.jsonl.gz"))


def stored(kind: str) -> Iterator[Json]:
    for path in files(kind):
        with gzip.open(path, "rb") as lines:
            for line in lines:
                yield orjson.loads(line)


def add(kind: str, cases: Sequence[Json]) -> Path:
    """A new file of them beside those that are there."""
    path = FOLDER / f"{kind}-{len(files(kind)) + 1:04}.jsonl.gz"
    lines = b"".join(orjson.dumps(case, option=orjson.OPT_SORT_KEYS) + b"\n" for case in cases)
    path.write_bytes(gzip.compress(lines, compresslevel=9, mtime=0))
    frozen = json.loads(FROZEN.read_text()) if FROZEN.exists() else {}
    frozen[path.name] = {"sha256": sha256(path), "cases": len(cases)}
    FROZEN.write_text(json.dumps(frozen, indent=2, sort_keys=True) + "\n")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows_of(story: Json) -> list[Json]:
    """Its decisions as `verify` finds them."""
    return [
        {
            "decision_no": n,
            "customer_id": UUID(row["customer"]),
            "engine": row["facts"]["engine"],
            "facts": {**row["facts"], "world": story["worlds"][row["facts"]["world"]]},
            "outcome": bytes.fromhex(row["outcome"]),
        }
        for n, row in enumerate(story["decisions"], 1)
    ]


def again(story: Json) -> tuple[dict[UUID, Replay], list[tuple[int, str]]]:
    """Its customers after all was decided again, and the decisions that came out otherwise."""
    return replay(
        rows_of(story),
        workspace=UUID(story["workspace"]),
        plans={UUID(i): plan_of(i, told) for i, told in story["plans"].items()},
        matured={UUID(i): datetime.fromisoformat(at) for i, at in story["matured"].items()},
    )


def came(people: Iterable[Replay]) -> Json:
    """What came of a story, to be compared: awards to read, codes, and what was moved."""
    conversions: list[Conversion] = []
    transfers: list[Transfer] = []
    for person in people:
        conversions += person.conversions
        transfers += [one for moves in person.transfers.values() for one in moves]
    told = sorted(line for one in conversions for line in _lines(one))
    return {
        "came": told,
        "codes": dict(sorted(Counter(r.code for c in conversions for r in c.reasons).items())),
        "transfers": [len(transfers), _digest(sorted(map(_move, transfers)))],
    }


def plan_of(version: str, told: Json) -> PlanFact:
    read = parse_agreement if told["own"] else parse
    return PlanFact(
        id=UUID(version),
        version=told["version"],
        effective_from=_instant(told["from"]),
        plan=read(told["document"]),
        effective_until=_instant(told["until"]),
    )


def matured_after(people: Iterable[Replay]) -> dict[str, str]:
    """When every second commission may mature: a minute after its hold."""
    held = {
        str(award.commission_id): (one.hold_until + timedelta(minutes=1)).isoformat()
        for person in people
        for one in person.conversions
        for award in one.awards
        if one.hold_until is not None
    }
    return {i: held[i] for i in sorted(held)[::2]}


def meaning(message: Json) -> str:
    """What a message means by today's reader, in the one spelling; null if it is no event."""
    headers: Mapping[str, str] = message["headers"]
    told = read_again(
        Raw(
            provider=message["provider"],
            type=message["type"],
            body=message["body"].encode(),
            live=message["live"],
            received_at=datetime.fromisoformat(message["received_at"]),
            occurred_at=datetime.fromisoformat(message["received_at"]),
            program_ids=(),
            headers=headers,
            with_tax=message["with_tax"],
            joins_email=message["joins_email"],
        )
    )
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()


def _lines(conversion: Conversion) -> Iterator[str]:
    """`src::invoice:1 sale 10000 -0 eur: base pays b0 2000 -0 eur`, a line for each award."""
    head = (
        f"{conversion.key} {conversion.kind} {conversion.gross} -{conversion.refunded}"
        f" {conversion.currency}"
    )
    if not conversion.awards:
        yield f"{head}: pays nobody"
    for one in conversion.awards:
        whom = f"{one.partner_id.int & 0xFFF:x}"
        if isinstance(one, Given):
            whom = f"{one.to} {whom}"
        yield f"{head}: {one.rule_id} pays {whom} {one.amount} -{one.reversed} {one.currency}"


def _move(one: Transfer) -> list[str]:
    return [str(one.key), str(one.amount), one.code, str(one.debit.id), str(one.credit.id)]


def _digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value)).hexdigest()


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
