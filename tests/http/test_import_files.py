"""Files as they come: with marks, quotes, wrong rows; broken off, too long, too late."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest

from app import limits
from app.conversions.intake import inbox
from app.imports import run, told
from app.imports.header import Header, Row
from tests.http.importing import bring, counts, errors, selling, send
from tests.http.selling import Selling

__all__ = ["selling"]


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "Empty"),
    "a mark only": (b"\xef\xbb\xbf", "Empty"),
    "semicolons": (b"email;name\na@b.co;A\n", "Fields are separated by semicolons"),
    "tabs": (b"email\tname\na@b.co\tA\n", "Fields are separated by tabs"),
    "an unknown column": (b"email,name,Fee\n", "No column is named `Fee` here"),
    "an empty name": (b"email,name,\n", "No column is named `` here"),
    "a name twice": (b"email,name,email\n", "`email` stands there twice"),
    "a missing one": (b"name\nA\n", "The column `email` is missing"),
    "UTF-16": ("email,name\n".encode("utf-16"), "UTF-16, not UTF-8"),
    "a header that is no text": (b"email,n\xffme\n", "Not UTF-8"),
    "a header with NUL": (b"email,name\0\n", "Holds a NUL character"),
    "old line ends": (b"email,name\ra@b.co,A\r", "A carriage return within a field"),
    "a header without end": (b'email,"name\n' + b"x" * 70_000, "does not end within"),
    "JSON": (b'{"email": "a@b.co"}', "No column is named"),
}
"""Files that are refused whole, and what is told."""


@pytest.mark.parametrize("name", sorted(REFUSED))
async def test_a_file_that_can_not_be_read_is_refused_with_the_place(
    name: str, selling: Selling
) -> None:
    content, problem = REFUSED[name]
    response = await send(selling.api, content, kind="partners", program_id=selling.program["id"])
    assert response.status_code == 422, response.text
    (error, *_) = response.json()["errors"]
    assert problem in error["problem"]
    assert error["place"].startswith(("line 1", "body")) and error["remedy"]
    assert (await selling.api.get("/imports"))["data"] == []


TRAPS = (
    b"\xef\xbb\xbfemail,name,external_id\r\n"
    b"1@example.com,One,1\r\n"
    b'2@example.com,"Two\r\nlines, and ""quotes""",2\r\n'
    b"\r\n"
    b"5@example.com,Fi\xffve,5\r\n"
    b"6@example.com,Si\0x,6\r\n"
    b"7@example.com,Seven\r\n"
    b"8@example.com,Eight,8,more\r\n"
    b'9@example.com,"Nine" of,9\r\n'
    b'10@example.com,5" Ten,10\r\n'
    b"no address,Eleven,11\r\n"
    b",Twelve,12\r\n"
    b"13@example.com,  ,13\r\n"
    b"=1+1@example.com,Fourteen,14"
)


@pytest.mark.parametrize("step", [1, 7, 10_000])
async def test_a_wrong_row_is_told_and_keeps_no_other_out(step: int, selling: Selling) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(TRAPS), step):
            yield TRAPS[at : at + step]

    response = await send(selling.api, pieces(), kind="partners", program_id=selling.program["id"])
    report = response.json()
    assert counts(report) == (4, 0, 8)
    assert report["state"] == "done" and report["agrees"] is False
    assert [(line, field) for line, field, _ in await errors(selling, report)] == [
        (6, ""), (7, ""), (8, ""), (9, ""), (10, ""), (12, "email"), (13, "email"), (14, "name"),
    ]  # fmt: skip
    made = {p["external_id"]: p["name"] for p in (await selling.api.get("/partners"))["data"]}
    assert made.keys() == {None, "1", "2", "10", "14"}
    assert (made["2"], made["10"]) == ('Two\r\nlines, and "quotes"', '5" Ten')
    page = await selling.api.get(f"/imports/{report['id']}/errors?limit=3&starting_after=4")
    assert ([e["number"] for e in page["data"]], page["has_more"]) == ([5, 6, 7], True)


WRONG_SALES = """\
invoice_id,customer_external_id,amount,amount_decimal,currency,occurred_at,partner,refunded,paid
B-1,u-1,10.5,,usd,2024-02-02T10:00:00Z,,,true
B-2,u-1,,10.555,usd,2024-02-02T10:00:00Z,,,true
B-3,u-1,5,5.00,usd,2024-02-02T10:00:00Z,,,true
B-4,u-1,5,,xxx,2024-02-02T10:00:00Z,,,true
B-5,u-1,5,,usd,2024-02-02,,,true
B-6,u-1,5,,usd,2999-02-02T10:00:00Z,,,true
B-7,u-1,5,,usd,2024-02-02T10:00:00Z,nobody@example.com,,true
B-8,u-1,5,,usd,2024-02-02T10:00:00Z,,6,true
B-9,u-1,5,,usd,2024-02-02T10:00:00Z,,,yes
B-10,u-1,5,,usd,2024-02-02T10:00:00Z,,,
B-11,u-1,,,usd,2024-02-02T10:00:00Z,,,true
B-12,u-1,0,,usd,2024-02-02T10:00:00Z,,,true
B-13,u-1,-5,,usd,2024-02-02T10:00:00Z,,,true
B-14,u-1,99999999999999,,usd,2024-02-02T10:00:00Z,,,true
B-15,u-1,5,,usd,2024-02-02T10:00:00Z,,,true
B-15,u-1,6,,usd,2024-02-02T10:00:00Z,,,true
B-15,u-1,5,,usd,2024-02-02T10:00:00Z,,,false
B-15,u-2,5,,usd,2024-02-02T10:00:00Z,,,true
"""


async def test_each_wrong_sale_is_told_by_line_and_field(selling: Selling) -> None:
    report = await bring(selling, "sales", WRONG_SALES)
    assert counts(report) == (1, 0, 17)
    assert [(line, field) for line, field, _ in await errors(selling, report)] == [
        (2, "amount"), (3, "amount_decimal"), (4, "amount"), (5, "currency"), (6, "occurred_at"),
        (7, "occurred_at"), (8, "partner"), (9, "refunded"), (10, "paid"), (11, "paid"),
        (12, "amount"), (13, "amount"), (14, "amount"), (15, "amount"),
        (17, "invoice_id"), (18, "invoice_id"), (19, "invoice_id"),
    ]  # fmt: skip
    (usd,) = report["sums"]
    assert (usd["count"], usd["amount"]) == (4, 5 + 6 + 5 + 5)
    assert (usd["imported_count"], usd["imported_amount"]) == (1, 5)
    assert report["agrees"] is False
    events = (await selling.api.get("/events"))["data"]
    assert [(e["conflicts"], e["source_id"]) for e in events] == [(0, None)]


async def test_columns_of_another_system_are_named_in_the_query(selling: Selling) -> None:
    text = "Email,First,Token,Paid out\nx@example.com,Xi,ref-x,12.00\n"
    column = ["Email:email", "First:first_name", "Token:external_id", "Paid out:-"]
    assert counts(await bring(selling, "partners", text, column=column)) == (1, 0, 0)
    made = {p["email"]: p["external_id"] for p in (await selling.api.get("/partners"))["data"]}
    assert made["x@example.com"] == "ref-x"
    for wrong in (["Email"], ["No such:email"], ["Email:emial"]):
        response = await send(
            selling.api, text.encode(), kind="partners", program_id=selling.program["id"],
            column=wrong,
        )  # fmt: skip
        assert response.status_code == 422, wrong


async def test_a_file_that_breaks_off_keeps_its_rows_and_is_sent_again(selling: Selling) -> None:
    rows = "".join(f"u-{n},\n" for n in range(700))
    text = "customer_external_id,partner\n" + rows
    cut = text[:4_000].encode()
    half = await send(selling.api, cut + b'"', kind="customers", program_id=selling.program["id"])
    assert half.status_code == 422
    (report,) = (await selling.api.get("/imports"))["data"]
    assert report["state"] == "stopped" and "does not end" in report["problem"]
    assert 0 < report["created"] < 700
    again = await bring(selling, "customers", text)
    # The cut may have left a shorter id than the file's.
    assert again["unchanged"] >= report["created"] - 1
    assert again["created"] + again["unchanged"] == 700


async def test_many_rows_take_the_memory_of_a_few() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"customer_external_id,customer_name\n"
        for n in range(20_000):
            yield b'm-%d,"%s"\n' % (n, b"name\n" * 3)

    tracemalloc.start()
    try:
        records = run.records(pieces())
        header = Header(await anext(records), told.CUSTOMERS.columns, {})
        rows = [1 async for record in records if isinstance(header.row(record), Row)]
        assert len(rows) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


async def test_a_long_file_is_never_held_as_a_whole(selling: Selling) -> None:
    """20,000 rows and 20 MB by the whole road; a dry run, since nothing decides here meanwhile."""
    rss: list[int] = []

    async def pieces() -> AsyncIterator[bytes]:
        yield b"customer_external_id,padding\n"
        for n in range(20_000):
            yield b"m-%d,%s\n" % (n, b"x" * 1_000)
            if n % 5_000 == 4_999:
                rss.append(psutil.Process().memory_info().rss)

    response = await send(
        selling.api, pieces(), kind="customers", program_id=selling.program["id"],
        dry_run=True, column="padding:-",
    )  # fmt: skip
    assert counts(response.json()) == (20_000, 0, 0)
    assert rss[-1] - rss[0] < 8_000_000, rss


async def test_a_connection_that_ends_early_leaves_a_report(selling: Selling) -> None:
    """As uvicorn tells it: half a body, then the disconnect."""
    rows = b"customer_external_id,partner\n" + b"".join(b"e-%d,\n" % n for n in range(600))
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": rows, "more_body": True},
        {"type": "http.disconnect"},
    ]
    await asgi(selling, messages)
    (report,) = (await selling.api.get("/imports"))["data"]
    assert (report["state"], report["created"]) == ("stopped", 600)
    assert report["problem"].startswith("The connection ended")


async def test_a_file_over_the_limit_stops_there(
    selling: Selling, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced = {b"content-length": b"100000001"}
    status, problem = await asgi(selling, [], headers=announced)
    assert (status, problem["code"]) == (413, "body_too_large")
    assert (await selling.api.get("/imports"))["data"] == []
    monkeypatch.setattr(limits, "MAX_IMPORT_BYTES", 10_000)
    rows = b"".join(b"e-%d,\n" % n for n in range(500))
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"customer_external_id,partner\n", "more_body": True},
        *[{"type": "http.request", "body": rows, "more_body": True} for _ in range(5)],
    ]
    status, problem = await asgi(selling, messages)
    assert (status, problem["code"]) == (413, "body_too_large")
    (report,) = (await selling.api.get("/imports"))["data"]
    assert report["state"] == "stopped" and "Over the limit" in report["problem"]
    assert 500 <= report["rows"] < 2_500


async def test_an_import_waits_for_the_inbox_and_gives_up_in_the_end(
    selling: Selling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "MOST_WAITING", 500)
    monkeypatch.setattr(run, "_LOOKS", 2)
    text = "customer_external_id,partner\n" + "".join(f"w-{n},\n" for n in range(800))
    program = selling.program["id"]
    response = await send(selling.api, text.encode(), kind="customers", program_id=program)
    assert (response.status_code, response.headers["retry-after"]) == (503, "60")
    (report,) = (await selling.api.get("/imports"))["data"]
    assert (report["state"], report["created"]) == ("stopped", 500)
    while await inbox.settle(selling.database, selling.workspace):
        continue
    assert counts(await bring(selling, "customers", text)) == (300, 500, 0)


@pytest.mark.parametrize("external_id", ["x-", ""])
async def test_the_same_file_at_once_makes_each_row_once(
    external_id: str, selling: Selling
) -> None:
    """By a constraint where they have ids, by taking turns where they have addresses only."""
    rows = "".join(
        f"{n}@example.com,N{n},{external_id and f'{external_id}{n}'}\n" for n in range(60)
    )
    content = ("email,name,external_id\n" + rows).encode()
    answers = await asyncio.gather(
        *(
            send(selling.api, content, kind="partners", program_id=selling.program["id"])
            for _ in range(3)
        )
    )
    reports = [answer.json() for answer in answers]
    assert sum(report["created"] for report in reports) == 60
    listed = (await selling.api.get("/partners?limit=100"))["data"]
    assert len(listed) == 61


async def asgi(
    selling: Selling, messages: list[dict[str, Any]], *, headers: dict[bytes, bytes] | None = None
) -> tuple[int, Any]:
    """An import whose body comes as the server would hand it on: status and answer."""
    query = f"kind=customers&program_id={selling.program['id']}"
    scope = {
        "type": "http", "method": "POST", "path": "/v1/imports", "raw_path": b"/v1/imports",
        "query_string": query.encode(), "scheme": "http", "http_version": "1.1",
        "server": ("api", 80), "client": ("127.0.0.1", 1), "root_path": "",
        "headers": [
            (b"authorization", f"Bearer {selling.api.key}".encode()),
            (b"content-type", b"text/csv"),
            *(headers or {}).items(),
        ],
    }  # fmt: skip
    left, sent = list(messages), []

    async def receive() -> Any:
        return left.pop(0)

    async def keep(message: Any) -> None:
        sent.append(message)

    await selling.api.app(scope, receive, keep)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(body)
