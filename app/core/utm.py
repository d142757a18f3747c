"""UTM templates: texts with placeholders, filled from what is known of a link and of a click.

`{partner}-{sub1}` → `part_…-newsletter`. What nobody knows is filled with nothing.
"""

import re
from typing import Final

FIELDS: Final = ("source", "medium", "campaign", "term", "content")
"""`source` fills the parameter `utm_source`, and so on."""

SUBS: Final = ("sub1", "sub2", "sub3", "sub4", "sub5")
"""Sub-ids that a visitor may bring; known only when the link is opened."""

PLACEHOLDERS: Final = frozenset({"partner", "link", "link_code", "asset", *SUBS})
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


def unknown(template: str) -> list[str]:
    """The placeholders in it that are none of ours."""
    return [name for name in _PLACEHOLDER.findall(template) if name not in PLACEHOLDERS]


def split(template: str) -> list[str]:
    """Text, placeholder's name, text, name, …, text: the even ones are text, maybe empty."""
    return _PLACEHOLDER.split(template)
