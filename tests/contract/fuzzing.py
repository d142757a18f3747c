"""schemathesis at a running service: what it is given, and what it found."""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.fuzz_hooks import OWN_KEY
from tests.e2e.client import Shop, until
from tests.http.client import PLAN
from tests.http.isolation_cases import SOURCE, SPAN

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
KNOWN = 0.8
"""How often an id is that of an object that is there."""
Ids = Mapping[str, list[str]]


@dataclass(frozen=True)
class Findings:
    """printed: what schemathesis says, with the seed. statuses: by `METHOD /path`."""

    failed: bool
    printed: str
    statuses: Mapping[str, Counter[int]]

    def never_done(self, operations: Iterable[str]) -> list[str]:
        """Those that were only ever refused."""
        return sorted(
            name
            for name in operations
            if not any(200 <= status < 300 for status in self.statuses.get(name, ()))
        )


def objects(shop: Shop) -> dict[str, str]:
    """One of each kind, as the names of parameters tell it without `_id`."""
    partner = shop.partner("Ana")
    sale = {
        "customer_external_id": f"user-{partner.id}", "amount": 10_000, "currency": "usd",
        "invoice_id": f"INV-{partner.id}", "click_id": shop.click(partner),
    }  # fmt: skip
    told = shop.post("/track/sale", sale)
    commission = told["outcome"]["commissions"][0]
    host = f"{partner.code.lower()}.example.com"
    draft = {"plan": PLAN}
    ids = {"program_id": shop.program, "partner_id": partner.id}
    keyed = {**SOURCE, "api_key": "rk_test_0123456789abcdef"}
    source = shop.post("/sources", keyed, 201)["id"]
    until(lambda: shop.get("/clicks")["data"], "the click was not drained")
    claim = {**ids, "customer_external_id": f"claimed-{partner.id}", "statement": "Mine"}
    draft_id = shop.post(f"/programs/{shop.program}/plans", draft, 201)["id"]
    return {
        "program": shop.program,
        "claim": shop.post("/claims", claim, 201)["id"],
        "backtest": shop.post(f"/plans/{draft_id}/backtest", SPAN, 202)["id"],
        "source": source,
        "reconciliation": shop.post(f"/sources/{source}/reconcile", SPAN, 202)["id"],
        "replay": shop.post("/events/replay", {**SPAN, "state": "applied"}, 202)["id"],
        "click": shop.get("/clicks")["data"][0]["id"],
        "code": shop.post("/codes", {**ids, "code": partner.code}, 201)["id"],
        "import": _imported(shop),
        "deal": shop.post("/deals", {**ids, "company": partner.code}, 201)["id"],
        "partner": partner.id,
        "link": shop.get(f"/links?partner_id={partner.id}")["data"][0]["id"],
        "event": told["event_id"],
        "commission": commission["id"],
        "conversion": commission["conversion_id"],
        "customer": commission["customer_id"],
        "domain": shop.post("/domains", {"program_id": shop.program, "host": host}, 201)["id"],
        "plan": draft_id,
        "key": shop.post("/keys", {"name": "k", "scopes": ["links:read"]}, 201)["id"],
        "workspace": shop.get("/workspaces")["data"][0]["id"],
    }


def _imported(shop: Shop) -> str:
    response = shop.http.post(
        f"{shop.urls[0]}/v1/imports?kind=customers&program_id={shop.program}",
        content=b"customer_external_id,customer_email\nimported,nobody\n",
        headers={"Authorization": f"Bearer {shop.key}", "Content-Type": "text/csv"},
    )
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def run(
    shop: Shop, *, lasting: Ids, passing: Ids, seed: int, seconds: int, folder: Path
) -> Findings:
    """All phases at the shop's service. passing: ids that deleting and erasing may take."""
    report = folder / "report.ndjson"
    config = folder / "schemathesis.toml"
    config.write_text("\n".join(_config(shop, lasting, passing)))
    own = shop.get("/keys")["data"][-1]["id"]
    ended = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(config),
            "run", f"{shop.urls[0]}/openapi.json",
            "--checks", ",".join(CHECKS),
            "--phases", "examples,coverage,fuzzing,stateful",
            "--seed", str(seed),
            "--max-time", str(seconds),
            "--continue-on-failure",
            "--warnings", "off",
            "--report", "ndjson", "--report-ndjson-path", str(report),
        ],
        env=os.environ | {OWN_KEY: own},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds + 120,
        check=False,
    )  # fmt: skip
    return Findings(ended.returncode != 0, ended.stdout, _statuses(report))


def _config(shop: Shop, lasting: Ids, passing: Ids) -> Iterator[str]:
    """TOML, whose strings and lists are those of JSON."""
    root = Path(__file__).parents[2]
    yield f"hooks = {json.dumps(str(root / 'tests/contract/fuzz_hooks.py'))}"
    yield f"headers = {{ Authorization = {json.dumps(f'Bearer {shop.key}')} }}"
    for kind, ids in lasting.items():
        yield f"[dictionaries.{kind}]\nvalues = {json.dumps(ids)}"
    for kind, ids in passing.items():
        yield f"[dictionaries.passing_{kind}]\nvalues = {json.dumps(ids)}"
    yield "[parameters]"
    for kind in lasting:
        for place in ("path", "query", "body"):
            yield _binding(f"{place}.{kind}_id", kind)
    for selector in ('include-method = "DELETE"', 'include-path-regex = "/erase$"'):
        yield f"[[operations]]\n{selector}\n[operations.parameters]"
        yield from (_binding(f"path.{kind}_id", f"passing_{kind}") for kind in passing)


def _binding(place: str, dictionary: str) -> str:
    return f'"{place}" = {{ dictionary = "{dictionary}", probability = {KNOWN} }}'


def _statuses(report: Path) -> dict[str, Counter[int]]:
    """How often an operation was answered with which status."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for line in report.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder") or {}
        for case, interaction in recorder.get("interactions", {}).items():
            told: dict[str, Any] = recorder["cases"][case]
            path = told.get("value", told)["path"]
            if interaction["response"]:
                name = f"{interaction['request']['method']} {path}"
                found[name][interaction["response"]["status_code"]] += 1
    return dict(found)
