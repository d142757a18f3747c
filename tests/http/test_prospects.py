"""What makes two prospects the same: the normal forms of domains, addresses and company names."""

import pytest

from app.errors import InvalidRequest
from app.prospects import (
    Prospect,
    address_spans,
    domains_of,
    keys_of,
    normal_company,
    normal_email,
    registrable,
)


@pytest.mark.parametrize(
    ("told", "domain"),
    [
        ("acme.com", "acme.com"),
        ("ACME.com.", "acme.com"),
        ("www.acme.com", "acme.com"),
        ("a.b.c.acme.com.au", "acme.com.au"),
        ("https://shop.acme.co.uk/jobs?x=1#y", "acme.co.uk"),
        ("acme.com:8080", "acme.com"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("acme.github.io", "acme.github.io"),  # a suffix under which anybody has a name
        ("deep.acme.github.io", "acme.github.io"),
        ("city.kawasaki.jp", "city.kawasaki.jp"),  # an exception in the list
        ("co.uk", None),
        ("github.io", None),
        ("10.0.0.1", None),
    ],
)
def test_a_host_s_registrable_domain(told: str, domain: str | None) -> None:
    assert registrable(told, "body/domain") == domain


@pytest.mark.parametrize(
    "told", ["acme", "a b.com", "*.acme.com", "http://", "x@acme.com", "[::1]"]
)
def test_what_is_no_domain_is_refused(told: str) -> None:
    with pytest.raises(InvalidRequest):
        registrable(told, "body/domain")


@pytest.mark.parametrize(
    ("told", "normal"),
    [
        (" Ana@Acme.COM ", "ana@acme.com"),
        ("ana+fair@acme.com", "ana@acme.com"),
        ("+ana@acme.com", "+ana@acme.com"),  # nothing would be left of it
        ("a.na@acme.com", "a.na@acme.com"),
        ("A.na+x@GoogleMail.com", "ana@gmail.com"),
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
    ],
)
def test_an_address_s_normal_form(told: str, normal: str) -> None:
    assert normal_email(told) == normal


@pytest.mark.parametrize(
    ("told", "normal"),
    [
        ("Acme GmbH", "acme"),
        ("ACME, Inc.", "acme"),
        ("acme  INC", "acme"),
        ("Acmé S.A.R.L.", "acme"),
        ("Acme GmbH & Co. KG", "acme"),
        ("The Acme Company Ltd.", "acme"),
        ("Acme Pty. Ltd.", "acme"),
        ("Acme Sp. z o.o.", "acme"),
        ("Acme d.o.o.", "acme"),
        ("Acme A/S", "acme"),
        ("Acme UG (haftungsbeschränkt)", "acme"),
        ("Acme S. de R.L. de C.V.", "acme"),
        ("ＡＣＭＥ", "acme"),
        ("Acme-Werke AG", "acme werke"),
        ("Müller & Söhne oHG", "muller and sohne"),
        ("Straße KG", "strasse"),
        ("L'Oréal S.A.", "loreal"),
        ("H&M", "h and m"),
        ("株式会社トヨタ", "トヨタ"),
        ("ООО «Ромашка»", "ромашка"),
        ("Inc.", "inc"),  # a form alone is a name
        ("The", "the"),
        ("Co & Co", "co"),
        ("Limited Edition", "limited edition"),
        ("Acme Berlin GmbH", "acme berlin"),
        ("---", ""),
    ],
)
def test_a_company_s_normal_form(told: str, normal: str) -> None:
    assert normal_company(told) == normal
    assert normal_company(normal) == normal


@pytest.mark.parametrize(
    "address",
    ["max@gmail.com", "max@yahoo.co.uk", "max@hotmail.fr", "max@web.de", "max@mail.gmx.at"],
)
def test_a_mail_provider_s_domain_tells_no_company(address: str) -> None:
    assert domains_of(Prospect("Max", "", address)) == ()
    assert set(keys_of(Prospect("Max", "", address)).values()) == {"email", "company"}


def test_both_of_a_prospect_s_domains_are_kept_and_no_key_tells_a_name() -> None:
    told = Prospect("Acme", "acme.com", "ana@acme-holding.de")
    keys = keys_of(told)
    assert list(keys.values()) == ["email", "domain", "domain", "company"]
    assert not [name for name in keys if "acme" in name or "ana" in name]
    assert keys == keys_of(Prospect("ACME Ltd", "www.acme.com", "ANA+1@acme-holding.de"))


def test_spans_hold_a_domain_s_addresses_and_no_neighbor_s() -> None:
    spans = address_spans(Prospect("Acme", "acme.com", "Ana+1@acme.com"))

    def match(address: str) -> str | None:
        backwards = address[::-1].encode()
        held = (s.match for s in spans if s.low.encode() <= backwards < s.high.encode())
        return next(held, None)

    assert match("ana+1@acme.com") == "email"
    assert match("ana@acme.com") == "email"
    for same in ("bo@acme.com", "bo@mail.acme.com", "zoë@acme.com"):
        assert match(same) == "domain"
    for other in ("bo@nacme.com", "bo@acme.com.au", "bo@acme.co", "acme.com@bo.net"):
        assert match(other) is None
