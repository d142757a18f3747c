"""Where the script puts the click ids: forms, Stripe's links and elements, the site's own code."""

from selenium.webdriver import Chrome

from tests.browser.looking import attribute, click_ids, value
from tests.browser.site import FORM, PAYMENTS, Site
from tests.browser.test_storage import land, token, visit

LATER = """
document.body.insertAdjacentHTML("beforeend", `
  <div><input id="later" data-finderfee><a id="later-link" href="https://buy.stripe.com/x">Pay</a>
  <stripe-buy-button id="later-button"></stripe-buy-button></div>`);
"""


def test_forms_get_all_ids_or_the_last(browser: Chrome, site: Site) -> None:
    visit(browser, site)
    assert value(browser, "[name=click_ids]") == value(browser, "[name=click_id]") == ""
    land(browser, site, 1)
    land(browser, site, 2)
    assert value(browser, "[name=click_ids]") == f"{token(1)},{token(2)}"
    assert value(browser, "[name=click_id]") == token(2)
    assert value(browser, "[name=name]") == "Cleo"


def test_what_is_added_to_the_page_later_is_filled_too(browser: Chrome, site: Site) -> None:
    land(browser, site, 1)
    browser.execute_script(LATER)
    assert value(browser, "#later") == token(1)
    assert value(browser, "#later-link", "search") == f"?client_reference_id={token(1)}"
    assert attribute(browser, "#later-button", "client-reference-id") == token(1)


def test_stripe_gets_the_last_id_where_the_site_has_set_none(browser: Chrome, site: Site) -> None:
    site.body = PAYMENTS
    land(browser, site, 1)
    land(browser, site, 2)
    own = f"client_reference_id={token(2)}"
    assert value(browser, "#pay", "search") == f"?prefilled_promo_code=X&{own}"
    assert value(browser, "#named", "href") == f"https://pay.shop.example/test_3?{own}"
    assert value(browser, "#own", "search") == "?client_reference_id=order-7"
    assert value(browser, "#other", "search") == ""
    button, table = "stripe-buy-button", "stripe-pricing-table"
    assert attribute(browser, button, "client-reference-id") == token(2)
    assert attribute(browser, table, "client-reference-id") == "order-7"


def test_a_link_to_nowhere_keeps_nothing_from_being_filled(browser: Chrome, site: Site) -> None:
    site.body = '<a data-finderfee href="https://[">Pay</a>' + FORM + PAYMENTS
    land(browser, site, 1)
    assert click_ids(browser) == [token(1)]
    assert attribute(browser, "stripe-buy-button", "client-reference-id") == token(1)


def test_without_a_click_payments_stay_as_they_are(browser: Chrome, site: Site) -> None:
    site.body = PAYMENTS
    visit(browser, site)
    assert attribute(browser, "#pay", "href") == (
        "https://buy.stripe.com/test_1?prefilled_promo_code=X"
    )
    assert attribute(browser, "stripe-buy-button", "client-reference-id") is None


def test_a_refusal_takes_the_ids_out_of_the_page(browser: Chrome, site: Site) -> None:
    site.body = FORM + PAYMENTS
    land(browser, site, 1)
    visit(browser, site)
    browser.execute_script("finderfee.consent(false)")
    assert value(browser, "[name=click_ids]") == ""
    assert value(browser, "#pay", "search") == "?prefilled_promo_code=X"
    assert attribute(browser, "stripe-buy-button", "client-reference-id") is None


def test_the_parameter_is_the_program_s(browser: Chrome, site: Site) -> None:
    site.attributes = 'data-param="ff"'
    browser.get(f"{site.origin}/?click_id={token(1)}&ff={token(2)}")
    assert click_ids(browser) == [token(2)]


def test_embedded_twice_it_runs_once(browser: Chrome, site: Site) -> None:
    site.head = f'<script src="{site.script}" data-param="first"></script>'
    browser.get(f"{site.origin}/?click_id={token(1)}&first={token(2)}")
    assert click_ids(browser) == [token(2)]


def test_an_element_named_finderfee_is_not_taken_for_the_script(
    browser: Chrome, site: Site
) -> None:
    site.head = "<script>document.documentElement.id = 'finderfee'</script>"
    assert land(browser, site, 1) == [token(1)]
