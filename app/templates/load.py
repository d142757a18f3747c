"""The templates as they stand in their files, and a plan of one in a program's currency."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from app.terms import PlanDocument

_CURRENCY: Final = "{currency}"


@dataclass(frozen=True, slots=True)
class TemplateProgram:
    """One program of a template. plan, agreement: with `{currency}` in the place of a currency.

    agreement: an example of one partner's own terms, if the template is about such.
    """

    title: str
    plan: PlanDocument
    agreement: PlanDocument | None


@dataclass(frozen=True, slots=True)
class Template:
    """whom: for whom it is, a sentence. programs: made together. notes: why it is as it is.

    by_hand: what the product does not do of it yet, and how to do without.
    """

    id: str
    title: str
    whom: str
    programs: tuple[TemplateProgram, ...]
    notes: tuple[str, ...]
    by_hand: tuple[str, ...]


def in_currency(document: PlanDocument, currency: str) -> PlanDocument:
    """The document with all its amounts in a currency. Their numbers stay: nothing is converted."""
    filled: PlanDocument = _filled(document, currency)
    return filled


def _filled(value: Any, currency: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(part, currency) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, currency) for part in value]
    return currency if value == _CURRENCY else value


def _read(path: Path) -> Template:
    stored: dict[str, Any] = json.loads(path.read_text())
    assert stored["id"] == path.stem, f"{path.name} has another id"
    programs = tuple(
        TemplateProgram(one["title"], one["plan"], one.get("agreement"))
        for one in stored["programs"]
    )
    return Template(
        id=stored["id"],
        title=stored["title"],
        whom=stored["whom"],
        programs=programs,
        notes=tuple(stored["notes"]),
        by_hand=tuple(stored["by_hand"]),
    )


TEMPLATES: Final[Mapping[str, Template]] = MappingProxyType(
    {path.stem: _read(path) for path in sorted(Path(__file__).parent.glob("*.json"))}
)
"""By id, in the order of their ids."""
