"""UTM parameters of one link: what is known of it filled in, the rest left for each visitor."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote_plus
from uuid import UUID

from app.core import utm
from app.ids import encode
from app.redirect.link_row import LinkRow

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


def labels_of(row: LinkRow, pieces: Sequence[str], taken: Collection[str]) -> list[Label]:
    """The link's labels whose names are not taken. pieces: the parameters it has, encoded."""
    templates: dict[str, str] = json.loads(row.utm)
    if not templates:
        return []
    known = {
        "partner": encode("part", UUID(bytes=row.partner)),
        "link": encode("link", UUID(bytes=row.id)),
        "link_code": row.code,
        "asset": row.asset,
        **{name: value for name, value in parse_qsl("&".join(pieces)) if name in utm.SUBS},
    }
    return [
        Label(f"utm_{field}", _chunks(templates[field], known))
        for field in utm.FIELDS
        if field in templates and f"utm_{field}" not in taken
    ]


def _chunks(template: str, known: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    chunks, text = [], ""
    for at, part in enumerate(utm.split(template)):
        if at % 2 == 0:
            text += part
        elif part in known:
            text += known[part]
        else:
            chunks.append((quote_plus(text), part))
            text = ""
    return (*chunks, (quote_plus(text), ""))
