"""The page of a program's terms: one document, without script, pictures or other sites."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Final

from app.plan_words.plans import Told

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2126;--soft:#5b6670;--line:#dde2e6;--paper:#fff;
--card:#f6f8f9;--mark:#0b6b57}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebed;--soft:#9aa5ae;--line:#333c43;
--paper:#14181b;--card:#1c2226;--mark:#5fcdb3}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:44rem;margin:0 auto;padding:clamp(1.5rem,5vw,4rem) 1.25rem}
h1{font-size:clamp(1.6rem,5vw,2.3rem);line-height:1.2;margin:0 0 .4rem;letter-spacing:-.01em;
overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.4rem 0 .7rem;color:var(--mark)}
p{margin:.5rem 0}
.since,footer{color:var(--soft);font-size:.95rem}
ol,ul{padding:0;margin:.6rem 0;list-style:none}
li{padding:.8rem 1rem;border:1px solid var(--line);border-radius:.6rem;background:var(--card);
overflow-wrap:anywhere}
li+li{margin-top:.6rem}
ol{counter-reset:rule}
ol>li{counter-increment:rule;display:grid;grid-template-columns:1.9rem 1fr}
ol>li::before{content:counter(rule)".";color:var(--soft);font-variant-numeric:tabular-nums}
code{font:.92em ui-monospace,Menlo,Consolas,monospace;background:var(--line);
padding:.1em .35em;border-radius:.3em}
.next{margin-top:3rem;padding-top:.5rem;border-top:2px solid var(--line)}
footer{margin-top:3rem;border-top:1px solid var(--line);padding-top:1rem}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--paper:#fff;--card:#fff;
--mark:#000}body{font-size:11pt}main{max-width:none;padding:0}li{break-inside:avoid}
h2{break-after:avoid}}
""".replace("\n", "")
_DIGEST: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_CODE: Final = re.compile(r"`([^`]*)`")


def terms_page(
    name: str, now: Told, since: datetime | None, then: tuple[Told, datetime] | None
) -> str:
    """The terms in force, and those that are announced with the instant from which they hold."""
    dated = f"In force since {_date(since)}." if since else "In force since the program began."
    later = ""
    if then is not None:
        told, from_at = then
        later = (
            f'<section class="next"><h1>From {_date(from_at)} on</h1>'
            f"<p>Sales from then on follow these terms; earlier ones keep those above.</p>"
            f"{_sections(told)}</section>"
        )
    body = f'<h1>What <bdi>{escape(name)}</bdi> pays its partners</h1><p class="since">{dated}</p>'
    foot = (
        "<footer>Amounts are of prices without tax. This page is made from the terms by which every"
        " commission is worked out.</footer>"
    )
    return _document(f"{name}: terms for partners", f"{body}{_sections(now)}{later}{foot}")


def missing_page() -> str:
    """For a program that is not there, or does not publish its terms: nobody learns which."""
    return _document("Not found", "<h1>Not found</h1><p>There are no published terms here.</p>")


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>"
    )


def _sections(told: Told) -> str:
    rules = [text for _, text in told.rules]
    choice = [told.choice] if told.choice else []
    paid = "".join(f"<p>{_text(line)}</p>" for line in choice)
    paid += f"<ol>{_lines(rules)}</ol>" if rules else ""
    return (
        f"<section><h2>What is paid</h2>{paid}</section>"
        f"{_section('Who can earn', told.gates)}"
        f"{_section('Whose customer it is', (*told.attribution, *told.binding))}"
        f"{_section('When it is paid', told.maturing)}"
    )


def _section(title: str, lines: tuple[str, ...]) -> str:
    return f"<section><h2>{title}</h2><ul>{_lines(lines)}</ul></section>" if lines else ""


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"<li><span>{_text(line)}</span></li>" for line in lines)


def _text(told: str) -> str:
    """Escaped; what stands between backticks is shown as code."""
    return _CODE.sub(r"<code>\1</code>", escape(told))


def _date(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y}, {at:%H:%M} UTC"
