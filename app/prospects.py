"""What makes two prospects the same: domain, e-mail and company, each in its normal form.

A key is a digest of a normal form: equal keys collide without anybody's name in the index.
"""

import hashlib
import re
import unicodedata
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from publicsuffixlist import PublicSuffixList

from app.destinations import normal_host
from app.errors import FieldError, InvalidRequest

Match = Literal["email", "domain", "company"]

_PROVIDERS: Final = """
    126.com 139.com 163.com aliyun.com bk.ru bol.com.br btinternet.com comcast.net cox.net
    daum.net duck.com email.com email.cz fastmail.com fastmail.fm foxmail.com free.fr freenet.de
    fastwebnet.it hanmail.net hey.com hushmail.com icloud.com inbox.lv inbox.ru interia.pl
    laposte.net libero.it list.ru live.ca live.cn live.co.uk live.com live.de live.fr live.it
    live.nl mac.com mail.com mail.de mail.ru mailbox.org mailfence.com me.com naver.com o2.pl
    online.de onet.pl orange.fr pm.me posteo.de posteo.net proton.me qq.com rediffmail.com
    rocketmail.com rogers.com runbox.com sbcglobal.net seznam.cz sfr.fr sina.com sky.com sohu.com
    t-online.de telenet.be terra.com.br tiscali.it tuta.com tuta.io tutanota.com ukr.net uol.com.br
    verizon.net virgilio.it virginmedia.com wanadoo.fr web.de wp.pl yandex.com yandex.ru yeah.net
    zoho.com zohomail.com
"""
_FREE_MAIL: Final = frozenset(_PROVIDERS.split())
"""Registrable domains under which anybody may have an address."""
_FREE_MAIL_FAMILIES: Final = frozenset(
    {"aol", "gmail", "gmx", "googlemail", "hotmail", "msn", "outlook", "protonmail", "yahoo"}
)
"""The same under any suffix: yahoo.de, hotmail.co.uk."""
_DOTLESS: Final = frozenset({"gmail.com", "googlemail.com"})
"""Where dots in the local part say nothing."""

_LEGAL_FORMS: Final = frozenset(
    tuple(form.split())
    for form in """
    ab, ag, aps, as, asa, a s, bv, bvba, bhd, co, company, corp, corporation, cv, doo, d o o,
    eirl, eood, ek, e k, eurl, ev, e v, gbr, gesmbh, ggmbh, gmbh, g m b h, inc,
    incorporated, kft, kg, kgaa, kk, k k, lda, limited, limitada, llc, llp, lp, ltd, ltda, mbh, nv,
    ohg, ood, ooo, oy, oyj, partg, plc, pllc, private, proprietary, pte, pty, pvt, sa,
    s a, sab, sapi, sarl, sas, sasu, sca, sccl, scs, sdn, se, sia, sl, slu, snc, spa, spol, sprl,
    srl, sro, s r o, spzoo, sp z o o, sp z oo, sp zoo, sp j, sp k, uab, ug,
    ug haftungsbeschrankt, vof, zrt, de cv, s de rl
    """.replace("\n", " ").split(",")
)
"""Legal forms as words in the normal form, cut off at the end of a name."""
_LEADING_FORMS: Final = frozenset({"the", "ооо", "оао", "зао", "пао", "тоо", "тов"})
"""Words that stand before a name and don't tell it."""
_UNSPACED_FORMS: Final = (
    "株式会社",
    "有限会社",
    "合同会社",
    "股份有限公司",
    "有限公司",
    "주식회사",
)
_LONGEST_FORM: Final = max(map(len, _LEGAL_FORMS))
_SILENT: Final = re.compile(r"['’‘`´.]")
_NOT_A_WORD: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Prospect:
    """Whom a deal is about, as told. domain: a host or empty; email: an address or empty."""

    company: str
    domain: str
    email: str


@dataclass(frozen=True, slots=True)
class Span:
    """From low to before high, in the order of bytes; what is in it matches."""

    match: Match
    low: str
    high: str


def keys_of(prospect: Prospect) -> dict[str, Match]:
    """Digests by which this prospect is known, the strongest match first; at least one.

    InvalidRequest for a domain that is none, and for a name of which nothing is left.
    """
    company = normal_company(prospect.company)
    if not company:
        problem, remedy = "No letter or digit in it", "Send the company's name."
        raise InvalidRequest(errors=[FieldError("body/company", problem, remedy)])
    found: dict[str, Match] = {}
    if prospect.email:
        found[email_key(prospect.email)] = "email"
    for domain in domains_of(prospect):
        found[_key("domain", domain)] = "domain"
    found[_key("company", company)] = "company"
    return found


def domains_of(prospect: Prospect) -> tuple[str, ...]:
    """Registrable domains that are the company's own: the one told, and the address' one."""
    told = [registrable(prospect.domain, "body/domain")] if prospect.domain else []
    mailed = _mail_domain(prospect.email) if prospect.email else None
    domains = [*told, registrable(mailed, "body/contact_email") if mailed else None]
    return tuple(dict.fromkeys(d for d in domains if d and not is_free_mail(d)))


def address_spans(prospect: Prospect) -> tuple[Span, ...]:
    """Where addresses of the same contact or company stand, were all written backwards and sorted.

    `ana@acme.com` is `moc.emca@ana` there, beside everybody at acme.com and its subdomains.
    """
    mail = prospect.email.strip().lower()
    addresses = dict.fromkeys([mail, normal_email(mail)] if mail else [])
    exact = [Span("email", one[::-1], one[::-1] + "\x01") for one in addresses]
    backwards = [domain[::-1] for domain in domains_of(prospect)]
    # What follows the domain is `@` or a dot; the next character in ASCII ends the span.
    at_domain = [Span("domain", d + c, d + chr(ord(c) + 1)) for d in backwards for c in "@."]
    return (*exact, *at_domain)


def registrable(host: str, place: str) -> str | None:
    """`https://www.Acme.co.uk/jobs` → `acme.co.uk`; None for a public suffix or an address.

    InvalidRequest at `place` for what is no host.
    """
    bare = re.sub(r"^[a-z]+://", "", host.strip(), flags=re.IGNORECASE)
    bare = re.split(r"[/?#]", bare, maxsplit=1)[0].removesuffix(".")
    name = normal_host(bare, place).partition(":")[0]
    if "." not in name:
        problem, remedy = "Not a domain", "Send one like acme.com, or leave it out."
        raise InvalidRequest(errors=[FieldError(place, problem, remedy)])
    if re.fullmatch(r"[\d.]+", name):
        return None
    found: str | None = _suffixes().privatesuffix(name)
    return found


def is_free_mail(domain: str) -> bool:
    """Whether a registrable domain is a mail provider's, so that it tells no company."""
    return domain in _FREE_MAIL or domain.partition(".")[0] in _FREE_MAIL_FAMILIES


def email_key(address: str) -> str:
    return _key("email", normal_email(address))


def normal_email(address: str) -> str:
    """Lower case, without a `+tag`; the domain in ASCII. Gmail's dots say nothing."""
    local, _, domain = address.strip().rpartition("@")
    domain = _ascii(domain)
    local = unicodedata.normalize("NFKC", local).casefold()
    local = local.partition("+")[0] or local
    if domain in _DOTLESS:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"


def normal_company(name: str) -> str:
    """Words in lower case without accents, punctuation and legal forms: `Acmé, Inc.` → `acme`."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = unicodedata.normalize("NFKC", text)
    for form in _UNSPACED_FORMS:
        text = text.removeprefix(form).removesuffix(form).strip() or text
    text = _SILENT.sub("", text.replace("&", " and ").replace("+", " and "))
    words = _NOT_A_WORD.sub(" ", text).split()
    if len(words) > 1 and words[0] in _LEADING_FORMS:
        words = words[1:]
    return " ".join(_without_form(words))


def _without_form(words: list[str]) -> list[str]:
    """Without what stands at the end of it as legal forms, but never without any word."""
    for length in range(min(_LONGEST_FORM, len(words) - 1), 0, -1):
        if tuple(words[-length:]) in _LEGAL_FORMS:
            left = words[:-length]
            return _without_form(left[:-1] if left[-1] == "and" and len(left) > 1 else left)
    return words


def _mail_domain(address: str) -> str | None:
    domain = _ascii(address.rpartition("@")[2])
    return domain if "." in domain else None


def _ascii(domain: str) -> str:
    try:
        return normal_host(domain.strip().removesuffix("."), "body/contact_email")
    except InvalidRequest:
        return domain.strip().casefold()


def _key(kind: Match, text: str) -> str:
    digest = hashlib.sha256(f"{kind}\x1f{text}".encode()).digest()
    return f"{kind}:{urlsafe_b64encode(digest[:18]).decode()}"


@cache
def _suffixes() -> PublicSuffixList:
    """The list as the library brought it; nothing is fetched."""
    return PublicSuffixList()
