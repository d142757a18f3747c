"""A shop's own web server: pages that embed the script, and a sign-up that tells Finderfee."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qs

FORM = """
<form method="post" action="/sign-up">
  <label>Your name <input name="name" value="Cleo"></label>
  <input type="hidden" name="click_ids" data-finderfee>
  <input type="hidden" name="click_id" data-finderfee="last">
  <button>Sign up</button>
</form>
"""
PAYMENTS = """
<a id="pay" href="https://buy.stripe.com/test_1?prefilled_promo_code=X">Pay</a>
<a id="own" href="https://buy.stripe.com/test_2?client_reference_id=order-7">Pay</a>
<a id="named" data-finderfee href="https://pay.shop.example/test_3">Pay</a>
<a id="other" href="https://elsewhere.example/buy.stripe.com/">Not a payment</a>
<stripe-buy-button buy-button-id="buy_btn_1"></stripe-buy-button>
<stripe-pricing-table client-reference-id="order-7"></stripe-pricing-table>
"""
_PAGE = """<!doctype html>
<html lang="en"><head><title>The Shop</title>{head}{script}</head>
<body><h1>The Shop</h1>{body}</body></html>
"""
_numbers = count(1)

Form = dict[str, list[str]]


@dataclass
class Site:
    """Pages of a shop. What a test sets holds for the pages that are asked for from then on."""

    script: str
    """Where the script comes from."""
    port: int
    host: str = field(default_factory=lambda: f"shop-{next(_numbers)}.localhost")
    attributes: str = ""
    """Of the script's element."""
    head: str = ""
    body: str = FORM
    signed_up: Callable[[Form], None] = lambda _form: None

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    def page(self, path: str) -> str:
        """A path that names another site is a page that frames it, without the script."""
        if path.startswith("/frame?"):
            framed = path.removeprefix("/frame?")
            return _PAGE.format(head="", script="", body=f'<iframe src="{framed}"></iframe>')
        script = f'<script src="{self.script}" {self.attributes}></script>'
        return _PAGE.format(head=self.head, script=script, body=self.body)


@contextmanager
def serve_site(script: str) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(site.page(self.path))

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"])).decode()
            site.signed_up(parse_qs(raw))
            self._answer("<!doctype html><title>Welcome</title><h1>Welcome</h1>")

        def _answer(self, html: str) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            """Nothing: the test's output is the browser's story."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(script, int(server.server_address[1]))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield site
        server.shutdown()
        thread.join()
