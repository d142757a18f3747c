"""UTM parameters of one link: what is known of it filled in, the rest left for each visitor."""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote_plus
from uuid import UUID

from app.core import utm
from app.ids import encode
from app.redirect.link_row import LinkRow, ProgramRow

_ENCODING: Final = "latin-1"  # a visitor's bytes there and back, whatever their encoding was


class Label(NamedTuple):
    """One parameter. chunks: (encoded text, name of the visitor's sub-id behind it, or none)."""

    name: str
    chunks: tuple[tuple[str, str], ...]

    @property
    def waits(self) -> bool:
        """Whether it depends on what a visitor brings."""
        return len(self.chunks) > 1

    def filled(self, asked: Mapping[str, str]) -> str:
        """`name=value`, or nothing if the value comes out empty. asked: decoded as Latin-1."""
        value = "".join(
            text + quote_plus(asked.get(sub, ""), encoding=_ENCODING) if sub else text
            for text, sub in self.chunks
        )
        return value and f"{self.name}={value}"


def labels_of(
    row: LinkRow, program: ProgramRow, pieces: Sequence[str], taken: Collection[str]
) -> list[Label]:
    """The link's labels whose names are not taken. pieces: the parameters it has, encoded."""
    stored = _templates(program.utm, row.utm)
    templates = [template for template in stored if template[0] not in taken]
    if not templates:
        return []
    subs = dict(parse_qsl("&".join(pieces))) if pieces else {}
    return [Label(name, _chunks(parts, row, subs)) for name, parts in templates]


@lru_cache(maxsize=4_096)
def _templates(common: str, own: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """`utm_…` and its template's parts, in the fields' order; many links have the same.

    common: the program's; the link's own come before them.
    """
    templates: dict[str, str] = json.loads(common) | json.loads(own)
    return tuple(
        (f"utm_{field}", tuple(utm.split(templates[field])))
        for field in utm.FIELDS
        if field in templates
    )


def _chunks(
    parts: Sequence[str], row: LinkRow, subs: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    chunks, text = [], ""
    for at, part in enumerate(parts):
        if at % 2 == 0:
            text += part
        elif part not in utm.SUBS:
            text += _known(part, row)
        elif part in subs:
            text += subs[part]
        else:
            chunks.append((quote_plus(text), part))
            text = ""
    return (*chunks, (quote_plus(text), ""))


def _known(name: str, row: LinkRow) -> str:
    match name:
        case "partner":
            return encode("part", UUID(bytes=row.partner))
        case "link":
            return encode("link", UUID(bytes=row.id))
        case "link_code":
            return row.code
        case "asset":
            return row.asset
    return ""
