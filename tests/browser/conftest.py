"""One Chromium and one service for all of this folder's tests; each test has a site of its own."""

from collections.abc import AsyncIterator, Iterator
from shutil import which

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service as Driver

from tests.browser.looking import messages
from tests.browser.site import Site, serve_site
from tests.conftest import copied_database
from tests.e2e.client import GIVEN, Shop, open_shop
from tests.service import Service, serve

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Chromium itself finds *.localhost; it looks up nothing else, so it reaches nothing outside.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
    # Its own name says that nobody looks at it, and such visits earn nobody.
    "--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
)


@pytest.fixture(scope="package")
async def browser_database_url(server_url: str, template: str) -> AsyncIterator[str]:
    async for url in copied_database(server_url, template):
        yield url


@pytest.fixture(scope="package")
def service(
    tmp_path_factory: pytest.TempPathFactory, browser_database_url: str
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("browser") / "data"
    with serve(folder, environment=GIVEN | {"DATABASE_URL": browser_database_url}) as running:
        running.ready("redirect")
        running.ready("api")
        yield running


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Not skipped without Chromium: `make test` says so and leaves this folder out."""
    program, driver = which("chromium"), which("chromedriver")
    assert program and driver, "needs Debian's chromium and chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Driver(driver))
    browser.set_page_load_timeout(20)
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """Chromium with an empty page; afterwards, none of the scripts may have failed."""
    chromium.get("about:blank")
    messages(chromium)
    yield chromium
    assert not [message for message in messages(chromium) if "ff.js" in message]


@pytest.fixture
def site(service: Service) -> Iterator[Site]:
    with serve_site(f"{service.url}/ff.js") as running:
        yield running


@pytest.fixture(scope="package")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


@pytest.fixture
def shop(service: Service, http: httpx.Client) -> Shop:
    """A workspace with a program that pays 20 % of every sale."""
    return open_shop([service.url], http)
