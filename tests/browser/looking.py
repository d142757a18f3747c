"""What a page knows and keeps, asked in the page itself."""

from typing import Any

from selenium.webdriver import Chrome


def click_ids(browser: Chrome) -> list[str]:
    found: list[str] = browser.execute_script("return finderfee.clickIds()")
    return found


def kept(browser: Chrome) -> tuple[str | None, str]:
    """What stands in the origin's local storage, and all cookies that the page sees."""
    local, cookies = browser.execute_script(
        "return [localStorage.getItem('finderfee'), document.cookie]"
    )
    return local, cookies


NOTHING = (None, "")


def value(browser: Chrome, selector: str, name: str = "value") -> Any:
    """A property of the first element that the selector finds."""
    return browser.execute_script(
        "return document.querySelector(arguments[0])[arguments[1]]", selector, name
    )


def attribute(browser: Chrome, selector: str, name: str) -> str | None:
    found: str | None = browser.execute_script(
        "return document.querySelector(arguments[0]).getAttribute(arguments[1])", selector, name
    )
    return found


def messages(browser: Chrome) -> list[str]:
    """What the console got since it was last asked."""
    return [line["message"] for line in browser.execute("getLog", {"type": "browser"})["value"]]
