"""Why a click has its class, in words: one sentence for each code of `core.traffic.REASONS`."""

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "none": "Nothing in the request speaks against a person who followed the link.",
    "sec_purpose": "The browser says that it fetched ahead (Sec-Purpose).",
    "purpose": "The browser says that it fetched ahead (Purpose).",
    "x_purpose": "The browser or app says that it fetched ahead (X-Purpose).",
    "x_moz": "The browser says that it fetched ahead (X-Moz).",
    "head_method": "Only the headers were asked for (HEAD).",
    "embedded_image": "A page asked for the link as an image; nobody followed it.",
    "embedded_frame": "A page opened the link in a frame; nobody followed it.",
    "embedded_fetch": "A script asked for the link; nobody followed it.",
    "embedded_resource": "A page asked for the link as a part of itself; nobody followed it.",
    "agent_preview": "The agent makes previews of links for chats, mails or feeds.",
    "agent_empty": "The request names no agent.",
    "agent_bot": "The agent is a known bot.",
    "agent_search": "The agent is a search engine's.",
    "agent_ai": "The agent is an AI service's.",
    "agent_monitor": "The agent watches whether sites are up.",
    "agent_tool": "The agent is a program's HTTP library or a command line.",
    "same_visitor": "The same visitor had opened this link shortly before; it counts all the same.",
    "no_hash_cap": "Many visitors of this link let nothing be kept that tells them apart, more than"
    " the cap takes as new; it counts all the same.",
}
"""A test holds it against the core's codes."""
UNRECORDED: Final = "It was not recorded why: only the class is known, from the click's token."
"""For a class that has a reason always, without one: a click whose journal never came, or old."""
