"""What a visitor sees when there is nowhere to go: small pages that need nothing else."""

from typing import Final

from app.redirect.metrics import REDIRECTS

Header = tuple[bytes, bytes]

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
body {{ font: 1.125rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; \
padding: 0 1.5rem; color: #1b1b1b; background: #fff }}
@media (prefers-color-scheme: dark) {{ body {{ color: #eee; background: #161616 }} }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
</main>
</body>
</html>
"""


class Page:
    """A ready answer: status, headers and body, counted under one outcome."""

    def __init__(self, status: int, outcome: str, title: str, text: str, *extra: Header) -> None:
        self.status = status
        self.count = REDIRECTS.labels(outcome)
        self.body = _PAGE.format(title=title, text=text).encode()
        self.headers: list[Header] = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(self.body)).encode()),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
            (b"x-content-type-options", b"nosniff"),
            *extra,
        ]


UNKNOWN: Final = Page(
    404,
    "unknown",
    "This link does not exist",
    "Check that the address is complete, or ask whoever gave it to you for a new one.",
)
GONE: Final = Page(
    410,
    "gone",
    "This link has ended",
    "It was valid once and is not any more. Ask whoever gave it to you for a new one.",
)
UNAVAILABLE: Final = Page(
    503,
    "unavailable",
    "Please try again in a moment",
    "We can't look this link up right now.",
    (b"retry-after", b"5"),
)
PREFETCH: Final = Page(
    503,
    "prefetch",
    "Not fetched ahead",
    "This link is only opened when somebody follows it.",
)
METHOD: Final = Page(
    405,
    "method",
    "This link can only be opened",
    "It takes GET and HEAD.",
    (b"allow", b"GET, HEAD"),
)
