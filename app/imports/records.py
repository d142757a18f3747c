"""CSV bytes as they arrive → records, one by one; RFC 4180 in UTF-8, whatever traps it holds.

Nothing but the record at hand is kept, so a file of any length takes the same memory.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.errors import FieldError, InvalidRequest

MAX_RECORD_BYTES: Final = 64_000
MAX_RECORD_LINES: Final = 1_000
_BOM: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_UNCLOSED: Final = "unexpected end of data"
"""How Python's reader says that a quoted field goes on."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record. line: where it begins, from 1. wrong: why it can't be read; then no cells."""

    line: int
    cells: tuple[str, ...] = ()
    wrong: FieldError | None = None


class Records:
    """`feed` what came, then `end`. InvalidRequest where it can't be told what follows."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._open = ""
        self._line = 0
        self._begins = 1

    def feed(self, arrived: bytes) -> Iterator[Record]:
        self._rest += arrived
        if b"\n" in arrived:
            *lines, rest = self._rest.split(b"\n")
            self._rest = rest
            for line in lines:
                yield from self._take(bytes(line) + b"\n")
        if len(self._rest) > MAX_RECORD_BYTES:
            raise self._endless(self._begins if self._open else self._line + 1)

    def end(self) -> Iterator[Record]:
        if self._rest:
            last, self._rest = bytes(self._rest), bytearray()
            yield from self._take(last)
        if self._open:
            raise self._endless(self._begins)

    def _take(self, line: bytes) -> Iterator[Record]:
        self._line += 1
        if self._line == 1:
            line = _without_mark(line)
        if not self._open:
            self._begins = self._line
        # Bytes that are no text are kept apart until the record is whole.
        self._open += line.decode("utf-8", "surrogateescape")
        is_first = self._begins == self._line
        if is_first or '"' in self._open[-len(line) :]:
            record = self._record()
            if record is not None:
                self._open = ""
                if record.cells or record.wrong:
                    yield record
                return
        lines = self._line - self._begins
        if len(self._open) > MAX_RECORD_BYTES or lines > MAX_RECORD_LINES:
            raise self._endless(self._begins)

    def _record(self) -> Record | None:
        """The record, if it is whole; an empty line has no cells."""
        text, line = self._open, self._begins
        try:
            cells = next(csv.reader([text], strict=True))
        except csv.Error as error:
            if _UNCLOSED in str(error):
                return None
            return Record(line, wrong=_unreadable(text))
        wrong = _bad_text(text)
        return Record(line, wrong=wrong) if wrong else Record(line, tuple(cells))

    def _endless(self, line: int) -> InvalidRequest:
        problem = (
            f"A record that begins in line {line} does not end within {MAX_RECORD_BYTES} bytes"
        )
        remedy = "Close each quote that opens a field, double those within, end lines with LF."
        return InvalidRequest(errors=[FieldError(f"line {line}", problem, remedy)])


def _without_mark(first: bytes) -> bytes:
    if first.startswith(_UTF_16):
        found = FieldError("line 1", "UTF-16, not UTF-8", "Save the file as CSV in UTF-8.")
        raise InvalidRequest(errors=[found])
    return first.removeprefix(_BOM)


def _unreadable(text: str) -> FieldError:
    if "\r" in text.rstrip("\r\n"):
        return FieldError(
            "", "A carriage return within a field", "Quote the field, or take it out."
        )
    return FieldError("", "Text behind a closing quote", "Double the quotes within a quoted field.")


def _bad_text(text: str) -> FieldError | None:
    if "\0" in text:
        return FieldError("", "Holds a NUL character", "Leave it out.")
    try:
        text.encode()
    except UnicodeEncodeError:
        return FieldError("", "Not UTF-8", "Save the file in UTF-8.")
    return None
