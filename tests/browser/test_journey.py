"""From a partner's link to the journey on the customer, as a person at a browser does it."""

from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from app.ids import decode
from tests.browser.looking import click_ids, messages
from tests.browser.site import FORM, Form, Site
from tests.e2e.client import Shop


@pytest.fixture
def links(shop: Shop, site: Site) -> list[Any]:
    """Two partners' links to pages of the site."""
    host = site.origin.removeprefix("http://")
    program = shop.post(
        "/programs",
        {
            "name": "Site",
            "currency": "usd",
            "destination_hosts": [host],
            "default_destination": f"{site.origin}/pricing?plan=pro",
            "plan": {
                "hold_days": 14,
                "attribution": {"model": "last_click", "window_days": 30},
                "combine": "first_match",
                "rules": [{"id": "base", "pay": {"percent_bps": 2000}}],
            },
        },
        201,
    )
    shop.program = program["id"]
    made = (shop.post("/partners", partner(shop, name), 201) for name in ("Ana", "Ben"))
    return [partner["default_link"] for partner in made]


def partner(shop: Shop, name: str) -> dict[str, str]:
    return {"program_id": shop.program, "name": name, "email": f"{name.lower()}@example.com"}


def test_all_links_that_a_visitor_opened_are_on_the_customer_who_signs_up(
    browser: Chrome, site: Site, shop: Shop, links: list[Any]
) -> None:
    leads = []

    def signed_up(form: Form) -> None:
        body = {"customer_external_id": "cleo", "click_ids": form["click_ids"][0].split(",")}
        assert form["click_id"][0] == body["click_ids"][-1]
        leads.append(shop.post("/track/lead", body))

    site.signed_up = signed_up
    browser.get(links[0]["short_url"])
    assert browser.current_url.startswith(f"{site.origin}/pricing?plan=pro&click_id=")
    browser.get(f"{site.origin}/about")
    browser.get(links[1]["short_url"])
    browser.get(f"{site.origin}/sign-up")
    browser.find_element(By.TAG_NAME, "button").click()
    WebDriverWait(browser, 10).until(lambda page: page.title == "Welcome")

    (lead,) = leads
    (listed,) = shop.get("/customers")["data"]
    customer = shop.get(f"/customers/{listed['id']}")
    touched = [(touch["link_id"], touch["traffic_class"]) for touch in customer["touches"]]
    assert sorted(touched) == sorted((link["id"], "human") for link in links)
    (conversion,) = shop.conversions("lead")
    assert conversion["id"] == lead["outcome"]["conversion_id"]
    assert conversion["credits"] == [{"partner_id": links[1]["partner_id"], "bps": 10_000}]
    whole = shop.get(f"/conversions/{conversion['id']}")
    earlier, later = [
        (touch["link_id"], touch["partner_id"], touch["counted"], touch["reason"]["code"])
        for touch in whole["touches"]
    ]
    assert earlier == (links[0]["id"], links[0]["partner_id"], False, "touch_not_chosen")
    assert later == (links[1]["id"], links[1]["partner_id"], True, "touch_counted")
    sale = {
        "customer_external_id": "cleo", "amount": 10_000, "currency": "usd", "invoice_id": "INV-1",
    }  # fmt: skip
    (paid,) = shop.post("/track/sale", sale)["outcome"]["commissions"]
    assert (paid["partner_id"], paid["amount"]) == (links[1]["partner_id"], 2_000)


ASKED = """
<script>
  window.asked = [];
  const send = window.fetch;
  window.fetch = (url, sent) => { asked.push(JSON.parse(sent.body)); return send(url, sent); };
</script>
"""
"""A page that notes what its scripts ask of servers, and lets them."""


def asked(browser: Chrome) -> list[Any]:
    found: list[Any] = browser.execute_script("return asked")
    return found


def embedded(shop: Shop, site: Site) -> str:
    """The attributes of a script that tells clicks of the site."""
    wanted = {"name": "Site", "kind": "publishable", "origins": [site.origin]}
    key = shop.post("/keys", wanted, 201)["key"]
    return f'data-key="{key}" data-code="ref"'


def test_a_code_in_the_site_s_own_address_becomes_a_click(
    browser: Chrome, site: Site, shop: Shop, links: list[Any]
) -> None:
    site.attributes = embedded(shop, site)
    browser.get(f"{site.origin}/?ref={links[0]['code']}")
    (token,) = WebDriverWait(browser, 10).until(click_ids)
    filled = browser.find_element(By.NAME, "click_ids").get_attribute("value")
    assert filled == token
    browser.get(f"{site.origin}/later")
    assert click_ids(browser) == [token]
    lead = shop.post("/track/lead", {"customer_external_id": "dana", "click_id": token})
    assert lead["outcome"]["conversion_id"]
    (listed,) = shop.get("/customers")["data"]
    (touch,) = shop.get(f"/customers/{listed['id']}")["touches"]
    assert decode("link", touch["link_id"]) == decode("link", links[0]["id"])


def test_the_script_says_on_which_host_its_codes_stand(
    browser: Chrome, site: Site, shop: Shop, links: list[Any]
) -> None:
    site.head = ASKED
    plain = embedded(shop, site)
    own = links[0]["short_url"].split("/")[2]
    page = f"{site.origin}/?ref={links[0]['code']}"
    site.attributes = f'{plain} data-host="elsewhere.example"'
    browser.get(page)
    WebDriverWait(browser, 10).until(lambda page: "404" in "".join(messages(page)))
    assert [body["host"] for body in asked(browser)] == ["elsewhere.example"]
    assert click_ids(browser) == []
    site.attributes = f'{plain} data-host="{own}"'
    browser.get(page)
    assert len(WebDriverWait(browser, 10).until(click_ids)) == 1
    assert [body["host"] for body in asked(browser)] == [own]


def test_a_frame_on_another_site_asks_for_no_click(
    browser: Chrome, site: Site, shop: Shop, links: list[Any]
) -> None:
    site.head = ASKED
    site.attributes = embedded(shop, site)
    framed = f"/frame?{site.origin}/?ref={links[0]['code']}"
    for framing in (f"http://127.0.0.1:{site.port}", f"http://other.{site.host}:{site.port}"):
        browser.get(f"{framing}{framed}")
        browser.switch_to.frame(0)
        browser.execute_script("finderfee.consent(true)")
        assert asked(browser) == []
        browser.switch_to.default_content()
    # In a frame of its own pages it does.
    browser.get(f"{site.origin}{framed}")
    browser.switch_to.frame(0)
    assert [body["code"] for body in asked(browser)] == [links[0]["code"]]
    assert len(WebDriverWait(browser, 10).until(click_ids)) == 1
    browser.switch_to.default_content()


def test_a_key_of_another_site_tells_no_click(
    browser: Chrome, site: Site, shop: Shop, links: list[Any]
) -> None:
    wanted = {"name": "Site", "kind": "publishable", "origins": ["https://shop.example"]}
    key = shop.post("/keys", wanted, 201)["key"]
    # The page asks by itself, so that it sees the answer.
    site.body = FORM + "<script>window.told = 0</script>"
    browser.get(site.origin)
    status = browser.execute_async_script(
        """
        const [key, code, done] = arguments;
        fetch(new URL("/v1/track/click", document.querySelector("script[src]").src), {
          method: "POST", body: JSON.stringify({code}),
          headers: {Authorization: "Bearer " + key, "Content-Type": "application/json"},
        }).then((answer) => done(answer.status), (error) => done(String(error)));
        """,
        key,
        links[0]["code"],
    )
    assert status == 403
    site.attributes = f'data-key="{key}" data-code="ref"'
    browser.get(f"{site.origin}/?ref={links[0]['code']}")
    assert click_ids(browser) == []
    assert "403" in "".join(messages(browser))
