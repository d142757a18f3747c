"""UTM templates on the wire, of programs and of links."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from app.core import utm


def _known_placeholders(value: str) -> str:
    if unknown := utm.unknown(value):
        raise PydanticCustomError(
            "placeholder_unknown", "There is no placeholder {name}", {"name": f"{{{unknown[0]}}}"}
        )
    return value


_Field = Literal["source", "medium", "campaign", "term", "content"]
_Template = Annotated[str, StringConstraints(max_length=200), AfterValidator(_known_placeholders)]
Utm = Annotated[
    dict[_Field, _Template],
    Field(
        description="Templates for `utm_source`, `utm_medium`, `utm_campaign`, `utm_term` and"
        " `utm_content`. Placeholders: {partner} and {link} (their ids), {link_code}, {asset},"
        " {sub1} to {sub5} (the link's, else the visitor's). What comes out empty is left out."
        " A link's template comes before its program's, the destination's own parameter before"
        " both, and a visitor's parameter of the same name last.",
        examples=[{"source": "partners", "campaign": "{partner}", "content": "{sub1}"}],
    ),
]
