"""What the script keeps, for how long, and when it keeps nothing at all."""

import time
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.browser.looking import NOTHING, click_ids, kept
from tests.browser.site import Site

CONSENT = 'data-consent="required"'


def token(number: int) -> str:
    return f"Gg-_{number:056d}"


def stored(*entries: tuple[str, float]) -> str:
    """As the script writes it. entries: click ids with their seconds since 1970."""
    return "~".join(f"{id_}.{base36(int(at))}" for id_, at in entries)


def base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def land(browser: Chrome, site: Site, number: int) -> list[str]:
    browser.get(f"{site.origin}/?click_id={token(number)}")
    return click_ids(browser)


def visit(browser: Chrome, site: Site) -> list[str]:
    browser.get(f"{site.origin}/about")
    return click_ids(browser)


def refused_in_a_frame(browser: Chrome, site: Site, framing: str) -> None:
    """Refuse consent in a frame of another origin's page, where no id is to be seen."""
    browser.get(f"{framing}/frame?{site.origin}/about")
    browser.switch_to.frame(0)
    browser.execute_script("finderfee.consent(false)")
    assert click_ids(browser) == []
    browser.switch_to.default_content()


def test_the_last_ten_are_kept_oldest_first(browser: Chrome, site: Site) -> None:
    for number in range(12):
        land(browser, site, number)
    assert visit(browser, site) == [token(number) for number in range(2, 12)]
    assert land(browser, site, 5) == [token(number) for number in range(2, 12)]
    site.attributes = 'data-keep="3"'
    assert visit(browser, site) == [token(number) for number in (9, 10, 11)]
    local, cookies = kept(browser)
    assert local is not None and local.count("~") == 2
    assert cookies == ""


def test_more_than_the_api_takes_are_never_kept(browser: Chrome, site: Site) -> None:
    site.attributes = 'data-keep="99"'
    for number in range(22):
        land(browser, site, number)
    assert visit(browser, site) == [token(number) for number in range(2, 22)]


@pytest.mark.parametrize("keep", ["0", "-1", "-3", "3.5", "2e0", "many", ""])
def test_how_many_is_a_number_from_one_on_or_ten(browser: Chrome, site: Site, keep: str) -> None:
    site.attributes = f'data-keep="{keep}"'
    visit(browser, site)
    now = int(time.time())
    many = ((token(number), now - 100 + number) for number in range(30))
    browser.execute_script("localStorage.finderfee = arguments[0]", stored(*many))
    last = [token(number) for number in range(20, 30)]
    assert visit(browser, site) == last
    assert land(browser, site, 30) == [*last[1:], token(30)]


def test_one_may_be_all_that_is_kept(browser: Chrome, site: Site) -> None:
    site.attributes = 'data-keep="1"'
    land(browser, site, 1)
    assert land(browser, site, 2) == [token(2)]


def test_an_id_ends_after_ninety_days_or_what_the_site_says(browser: Chrome, site: Site) -> None:
    visit(browser, site)
    now, day = time.time(), 86_400
    ages = ((token(91), now - 91 * day), (token(89), now - 89 * day), (token(2), now - 2 * day))
    browser.execute_script("localStorage.finderfee = arguments[0]", stored(*ages))
    assert visit(browser, site) == [token(89), token(2)]
    assert kept(browser)[0] == stored(*ages[1:])
    site.attributes = 'data-days="3"'
    assert visit(browser, site) == [token(2)]
    site.attributes = 'data-days="1"'
    assert visit(browser, site) == []
    assert kept(browser) == NOTHING


@pytest.mark.parametrize(
    "spoiled", ["~~~", "null", "{}", "x.y~z", "Gg.1", f"{'<' * 60}.zzzzzz", "a" * 60]
)
def test_what_is_no_click_id_is_forgotten(browser: Chrome, site: Site, spoiled: str) -> None:
    visit(browser, site)
    browser.execute_script("localStorage.finderfee = arguments[0]", spoiled)
    assert visit(browser, site) == []
    assert land(browser, site, 1) == [token(1)]
    browser.get(f"{site.origin}/?click_id=%3Cscript%3Ealert(1)%3C/script%3E")
    assert click_ids(browser) == [token(1)]


def test_before_consent_nothing_is_stored(browser: Chrome, site: Site) -> None:
    site.attributes = CONSENT
    assert land(browser, site, 1) == [token(1)]
    assert kept(browser) == NOTHING
    assert visit(browser, site) == []
    land(browser, site, 2)
    browser.execute_script("finderfee.consent(true)")
    assert kept(browser) != NOTHING
    # Each page asks again: what was stored before is not read without it.
    assert visit(browser, site) == []
    browser.execute_script("finderfee.consent(true)")
    assert click_ids(browser) == [token(2)]
    browser.execute_script("finderfee.consent(false)")
    assert click_ids(browser) == []
    assert kept(browser) == NOTHING


def test_consent_may_be_known_before_the_script_runs(browser: Chrome, site: Site) -> None:
    site.attributes = CONSENT
    site.head = "<script>finderfeeConsent = true</script>"
    land(browser, site, 1)
    assert visit(browser, site) == [token(1)]
    site.head = "<script>finderfeeConsent = 'yes'</script>"
    assert visit(browser, site) == []


def test_a_refusal_holds_without_a_consent_mode_too(browser: Chrome, site: Site) -> None:
    land(browser, site, 1)
    browser.execute_script("finderfee.consent(false)")
    assert (click_ids(browser), kept(browser)) == ([token(1)], NOTHING)


@pytest.fixture
def private(browser: Chrome) -> Iterator[Chrome]:
    """A browser whose owner has switched Global Privacy Control on."""
    source = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})"
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    yield browser
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_with_gpc_nothing_outlives_the_page(private: Chrome, site: Site) -> None:
    assert land(private, site, 1) == [token(1)]
    private.execute_script("finderfee.consent(true)")
    assert kept(private) == NOTHING
    assert visit(private, site) == []


def test_gpc_deletes_what_was_stored_before_it(private: Chrome, site: Site) -> None:
    visit(private, site)
    private.execute_script("localStorage.finderfee = arguments[0]", stored((token(1), time.time())))
    assert visit(private, site) == []
    assert kept(private) == NOTHING


def test_a_frame_on_another_site_stores_nothing(browser: Chrome, site: Site) -> None:
    framed = f"{site.origin}/?click_id={token(1)}"
    browser.get(f"http://127.0.0.1:{site.port}/frame?{framed}")
    browser.switch_to.frame(0)
    assert browser.execute_script("return location.href") == framed
    browser.execute_script("finderfee.consent(true)")
    assert (click_ids(browser), kept(browser)) == ([token(1)], NOTHING)
    browser.switch_to.default_content()
    # Here the frame would see what the site stores, and does.
    browser.get(f"{site.origin}/frame?{framed}")
    browser.switch_to.frame(0)
    assert kept(browser) != NOTHING
    browser.switch_to.default_content()
    assert visit(browser, site) == [token(1)]


@pytest.mark.parametrize("framing", ["http://127.0.0.1", "http://other.{domain}"])
def test_a_cookie_is_out_of_a_foreign_frame_s_reach_too(
    browser: Chrome, site: Site, framing: str
) -> None:
    """Also of a sibling subdomain's frame, where the browser itself would let it be set."""
    domain = site.host
    site.attributes = f'data-domain="{domain}"'
    site.host = f"www.{domain}"
    framing = f"{framing.format(domain=domain)}:{site.port}"
    browser.get(f"{framing}/frame?{site.origin}/?click_id={token(1)}")
    browser.switch_to.frame(0)
    browser.execute_script("finderfee.consent(true)")
    assert (click_ids(browser), kept(browser)) == ([token(1)], NOTHING)
    browser.switch_to.default_content()
    assert land(browser, site, 2) == [token(2)]
    refused_in_a_frame(browser, site, framing)
    assert visit(browser, site) == [token(2)]


def test_a_foreign_frame_reads_and_deletes_nothing_either(browser: Chrome, site: Site) -> None:
    land(browser, site, 1)
    refused_in_a_frame(browser, site, f"http://127.0.0.1:{site.port}")
    # From a sibling's page the browser itself would let it see what the site stores.
    refused_in_a_frame(browser, site, f"http://other.{site.host}:{site.port}")
    assert visit(browser, site) == [token(1)]


def test_a_cookie_joins_the_subdomains_of_a_site(browser: Chrome, site: Site) -> None:
    domain = site.host
    site.attributes = f'data-domain="{domain}"'
    site.host = f"www.{domain}"
    assert land(browser, site, 1) == [token(1)]
    local, cookies = kept(browser)
    assert local is None
    assert cookies.startswith(f"finderfee={token(1)}.")
    (cookie,) = browser.get_cookies()
    assert (cookie["domain"], cookie["path"], cookie["sameSite"]) == (f".{domain}", "/", "Lax")
    assert 89 < (cookie["expiry"] - time.time()) / 86_400 <= 90
    site.host = f"app.{domain}"
    assert land(browser, site, 2) == [token(1), token(2)]
    browser.execute_script("document.cookie = 'not_finderfee=x; path=/'")
    assert visit(browser, site) == [token(1), token(2)]
    browser.execute_script("finderfee.consent(false)")
    assert browser.get_cookie("finderfee") is None
