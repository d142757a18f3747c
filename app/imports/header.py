"""A file's first record: which column is which, and each record's cells by our names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import FieldError, InvalidRequest
from app.imports.records import Record

IGNORED: Final = "-"
_OTHER_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Columns:
    """What a kind of import takes. required: columns, each as the alternatives that will do."""

    names: tuple[str, ...]
    required: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A record that can be read: its cells that are not empty, by our names."""

    line: int
    cells: Mapping[str, str]


class Header:
    """The columns of a file. renamed: the file's own names → ours, or `-` for one to leave out."""

    def __init__(self, first: Record, columns: Columns, renamed: Mapping[str, str]) -> None:
        if first.wrong:
            raise InvalidRequest(errors=[_at(first.line, first.wrong)])
        _refuse_other_separator(first)
        theirs = [cell.strip() for cell in first.cells]
        self.names = [renamed.get(name, name) for name in theirs]
        found = [*_wrong(self.names, theirs, columns), *_unused(renamed, theirs)]
        found += [_missing(one) for one in columns.required if not {*one} & {*self.names}]
        if found:
            raise InvalidRequest(f"{found[0].place}: {found[0].problem}", errors=found)

    def row(self, record: Record) -> Row | FieldError:
        """The record's cells, or why they can't be told apart."""
        if record.wrong:
            return record.wrong
        if len(record.cells) != len(self.names):
            counted = f"{len(record.cells)} fields where the header has {len(self.names)}"
            return FieldError("", counted, "Quote fields that hold commas or line breaks.")
        cells = zip(self.names, map(str.strip, record.cells), strict=True)
        return Row(record.line, {name: cell for name, cell in cells if cell and name != IGNORED})


def _wrong(names: Sequence[str], theirs: Sequence[str], columns: Columns) -> list[FieldError]:
    taken = "Use " + ", ".join(columns.names) + "; or name it with `column=theirs:ours`."
    counts = Counter(name for name in names if name != IGNORED)
    found: list[FieldError] = []
    for n, (name, their) in enumerate(zip(names, theirs, strict=True), 1):
        place, shown = f"line 1/column {n}", their[:_SHOWN]
        if name != IGNORED and name not in columns.names:
            found.append(FieldError(place, f"No column is named `{shown}` here", taken))
        elif counts[name] > 1 and name in names[: n - 1]:
            found.append(FieldError(place, f"`{name}` stands there twice", "Leave one out."))
    return found


def _unused(renamed: Mapping[str, str], theirs: Sequence[str]) -> list[FieldError]:
    return [
        FieldError("query/column", f"The file has no column `{their[:_SHOWN]}`", "Check its name.")
        for their in renamed
        if their not in theirs
    ]


def _missing(alternatives: Sequence[str]) -> FieldError:
    wanted = " or ".join(f"`{name}`" for name in alternatives)
    return FieldError("line 1", f"The column {wanted} is missing", "Add it.")


def _refuse_other_separator(first: Record) -> None:
    if len(first.cells) > 1:
        return
    for character, name in _OTHER_SEPARATORS.items():
        if character in first.cells[0]:
            found = FieldError(
                "line 1", f"Fields are separated by {name}", "Separate them by commas."
            )
            raise InvalidRequest(errors=[found])


def _at(line: int, wrong: FieldError) -> FieldError:
    return FieldError(f"line {line}", wrong.problem, wrong.remedy)
