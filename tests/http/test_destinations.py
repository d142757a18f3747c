"""URLs as browsers read them: what is no plain address of an allowed host is refused."""

import pytest

from app.destinations import checked, normal_host
from app.errors import DestinationNotAllowed, InvalidRequest

HOSTS = ["shop.example.com", "localhost:3000", "xn--bcher-kva.example", "127.0.0.1", "[::1]"]


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://shop.example.com", "https://shop.example.com/"),
        ("HTTPS://SHOP.Example.COM:443/a/../b?x=ü#f", "https://shop.example.com/b?x=%C3%BC#f"),
        ("http://shop.example.com:80/", "http://shop.example.com/"),
        ("http://localhost:3000/x", "http://localhost:3000/x"),
        ("https://Bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://shop%2Eexample.com/", "https://shop.example.com/"),
        ("https://ｓhop.example.com/", "https://shop.example.com/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"),
        ("https://shop.example.com/?next=https://evil.com", None),
        ("https://shop.example.com/@evil.com", None),
    ],
)
def test_an_allowed_url_is_stored_in_its_normal_form(url: str, normal: str | None) -> None:
    assert checked(url, HOSTS, "body/destination") == (normal or url)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.com/",
        "https://shop.example.com.evil.com/",
        "https://evil.com/shop.example.com",
        "https://evil.com#@shop.example.com/",
        "https://evil.com?@shop.example.com/",
        "https://shop.example.com:8443/",
        "https://localhost/",
        "https://www.shop.example.com/",
        "https://shop.example.co/",
        "https://2130706434/",
        "https://xn--shop-example-com.evil.com/",
    ],
)
def test_a_foreign_host_is_not_allowed(url: str) -> None:
    with pytest.raises(DestinationNotAllowed):
        checked(url, HOSTS, "body/destination")


@pytest.mark.parametrize(
    "url",
    [
        "https:evil.com",
        "https:shop.example.com",
        "https:/shop.example.com/",
        "https:///evil.com",
        "https:\\\\shop.example.com\\",
        "https://shop.example.com\\@evil.com/",
        "https://good\\@evil.com",
        "//evil.com/",
        "/relative",
        "",
        " https://shop.example.com/",
        "https://shop.example.com/ x",
        "java\tscript:alert(1)",
        "javascript:alert(1)//https://shop.example.com/",
        "jav\nascript:alert(1)",
        "ht\ttps://shop.example.com/",
        "data:text/html,x",
        "ftp://shop.example.com/",
        "file:///etc/passwd",
        "blob:https://shop.example.com/1",
        "https://user@shop.example.com/",
        "https://user:secret@shop.example.com/",
        "https://@shop.example.com/",
        "https://shop.example.com@evil.com/",
        "https://shop.example.com./",
        "https://",
        "https://?",
        "https://[::1",
        "https://shop.example.com:99999/",
        "https://shop .example.com/",
        "https://shop.example.com\u00a0/",
        "https://\u202eshop.example.com/",
        "https://shop..example.com/",
        "https://*.example.com/",
        "https://shop.example.com/" + "a" * 2_048,
        "https://shop.example.com/" + "ü" * 1_000,
    ],
)
def test_what_browsers_repair_or_others_misread_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked(url, HOSTS, "body/destination")
    assert caught.value.errors[0].place == "body/destination"
    assert caught.value.errors[0].remedy


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        ("Shop.Example.com", "shop.example.com"),
        ("shop.example.com:443", "shop.example.com"),
        ("shop.example.com:80", "shop.example.com"),
        ("localhost:3000", "localhost:3000"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("[::1]:3000", "[::1]:3000"),
        ("127.1", "127.0.0.1"),
    ],
)
def test_a_host_is_stored_in_its_normal_form(host: str, normal: str) -> None:
    assert normal_host(host, "body/destination_hosts/0") == normal


@pytest.mark.parametrize(
    "host",
    ["", "*", "*.example.com", "https://shop.example.com", "shop.example.com/", "a@b.com", "a b",
     "shop.example.com.", ".example.com", "a:b", "a:99999", "a\tb", "a\\b", "a?b", "a#b", "%2e",
     "a" * 64 + ".com"],
)  # fmt: skip
def test_what_is_no_single_host_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest):
        normal_host(host, "body/destination_hosts/0")
