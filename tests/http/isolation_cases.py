"""What the other workspace asks for in tests/http/test_isolation.py: one case for each route.

`{…}` stands for an object of the owner's, which `owned` there makes.
"""

from dataclasses import dataclass
from typing import Any

from tests.http.client import PLAN

PARTNER = {"program_id": "{program}", "name": "B", "email": "b@example.com"}
LINK = {"program_id": "{program}", "partner_id": "{partner}"}
LEAD = {"customer_external_id": "user-17"}
SALE = {
    "customer_external_id": "user-17", "amount": 10_000, "currency": "usd", "invoice_id": "INV-1",
}  # fmt: skip
REFUND = {"invoice_id": "INV-1", "amount_refunded": 10_000, "currency": "usd"}
SOURCE = {"provider": "stripe", "signing_secrets": ["whsec_0123456789abcdef0123456789abcdef"]}
SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-31T00:00:00Z"}
CODE = {"program_id": "{program}", "partner_id": "{partner}", "code": "SPRING"}
CLAIM = {**LINK, **LEAD, "statement": "Mine"}
PROGRAM = {
    "name": "P", "currency": "usd", "destination_hosts": ["a.example"],
    "default_destination": "https://a.example/",
}  # fmt: skip
DEAL = {"program_id": "{program}", "partner_id": "{partner}", "company": "Acme"}


@dataclass(frozen=True)
class Case:
    """One request of the other workspace. status: what it must get for the owner's object."""

    body: Any = None
    status: int = 404
    query: str = ""


CASES: dict[str, Case] = {
    "POST /v1/workspaces": Case({"name": "B", "mode": "live"}, status=403),
    "GET /v1/workspaces": Case(status=200),
    "GET /v1/workspaces/{workspace_id}": Case(),
    "PATCH /v1/workspaces/{workspace_id}": Case({"name": "Theirs"}),
    "POST /v1/keys": Case({"name": "k", "scopes": ["admin"]}, status=201),
    "GET /v1/keys": Case(status=200),
    "GET /v1/keys/{key_id}": Case(),
    "DELETE /v1/keys/{key_id}": Case(),
    "POST /v1/programs": Case({**PROGRAM, "plan": PLAN}, status=201),
    "GET /v1/templates": Case(status=200),
    "GET /v1/templates/{template_id}": Case(status=200),
    "POST /v1/templates/{template_id}/programs": Case(PROGRAM, status=201),
    "GET /v1/programs": Case(status=200),
    "GET /v1/programs/{program_id}": Case(),
    "PATCH /v1/programs/{program_id}": Case({"status": "paused"}),
    "DELETE /v1/programs/{program_id}": Case(),
    "GET /v1/programs/{program_id}/plans": Case(),
    "POST /v1/programs/{program_id}/plans": Case({"plan": PLAN}),
    "GET /v1/plans/{plan_id}": Case(),
    "GET /v1/programs/{program_id}/terms": Case(),
    "POST /v1/programs/{program_id}/ltv-cac": Case(
        {"margin_bps": 1, "acquisition_cost": 1, "from": SPAN["from"], "to": SPAN["to"],
         "plan": PLAN},
    ),
    "POST /v1/plans/lint": Case({"plan": PLAN, "program_id": "{program}"}),
    "GET /v1/plans/{plan_id}/lint": Case(),
    "POST /v1/plans/preview": Case({"plan": PLAN, "kind": "lead", "program_id": "{program}"}),
    "POST /v1/plans/{plan_id}/preview": Case({"kind": "lead"}),
    "POST /v1/plans/{plan_id}/publish": Case({}),
    "POST /v1/plans/{plan_id}/end": Case({}),
    "POST /v1/plans/{plan_id}/backtest": Case(SPAN),
    "GET /v1/backtests": Case(status=200, query="?plan_id={plan}"),
    "GET /v1/backtests/{backtest_id}": Case(),
    "GET /v1/backtests/{backtest_id}/partners": Case(),
    "GET /v1/backtests/{backtest_id}/changes": Case(),
    "POST /v1/backtests/{backtest_id}/cancel": Case(),
    "GET /v1/programs/{program_id}/partners/{partner_id}/qualification": Case(),
    "PUT /v1/programs/{program_id}/partners/{partner_id}/qualification": Case({"tier": "gold"}),
    "POST /v1/partners": Case(PARTNER),
    "GET /v1/partners": Case(status=200, query="?program_id={program}"),
    "GET /v1/partners/{partner_id}": Case(),
    "PATCH /v1/partners/{partner_id}": Case({"name": "Stolen"}),
    "DELETE /v1/partners/{partner_id}": Case(),
    "POST /v1/partners/{partner_id}/enrollments": Case({"program_id": "{program}"}),
    "POST /v1/domains": Case({"program_id": "{program}", "host": "go.example.com"}),
    "GET /v1/domains": Case(status=200, query="?program_id={program}"),
    "GET /v1/domains/{domain_id}": Case(),
    "POST /v1/domains/{domain_id}/verify": Case(),
    "DELETE /v1/domains/{domain_id}": Case(),
    "POST /v1/links": Case(LINK),
    "POST /v1/links/bulk": Case({"links": [LINK]}, status=422),
    "GET /v1/links": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/links/{link_id}": Case(),
    "PATCH /v1/links/{link_id}": Case({"subs": {"stolen": "1"}}),
    "DELETE /v1/links/{link_id}": Case(),
    "GET /v1/links/{link_id}/qr": Case(),
    "GET /v1/links/{link_id}/share": Case(),
    "POST /v1/codes": Case(CODE),
    "POST /v1/codes/bulk": Case({"codes": [CODE]}, status=422),
    "GET /v1/codes": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/codes/{code_id}": Case(),
    "PATCH /v1/codes/{code_id}": Case({"provider_ids": ["stripe:promo_1"]}),
    "DELETE /v1/codes/{code_id}": Case(),
    "GET /v1/links/{link_id}/traffic": Case(),
    "GET /v1/links/{link_id}/subs": Case(),
    "GET /v1/partners/{partner_id}/traffic": Case(),
    "POST /v1/deals": Case(DEAL),
    "GET /v1/deals": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/deals/conflicts": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/deals/{deal_id}": Case(),
    "PATCH /v1/deals/{deal_id}": Case({"note": "Stolen"}),
    **{
        f"POST /v1/deals/{{deal_id}}/{step}": Case({})
        for step in ("accept", "reject", "qualify", "win", "lose", "extend")
    },
    "POST /v1/claims": Case(CLAIM),
    "GET /v1/claims": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/claims/{claim_id}": Case(),
    "POST /v1/claims/{claim_id}/accept": Case({"reason_code": "evidence"}),
    "POST /v1/claims/{claim_id}/reject": Case({"reason_code": "other", "answer": "No."}),
    "POST /v1/claims/{claim_id}/withdraw": Case(),
    "POST /v1/imports": Case(query="?kind=partners&program_id={program}"),
    "GET /v1/imports": Case(status=200),
    "GET /v1/imports/{import_id}": Case(),
    "GET /v1/imports/{import_id}/errors": Case(),
    "GET /v1/clicks": Case(status=200, query="?link_id={link}"),
    "GET /v1/clicks/{click_id}": Case(),
    "POST /v1/track/click": Case({"link_id": "{link}"}),
    # Events belong to whoever sends them: the same ids elsewhere are other customers and sales.
    "POST /v1/track/lead": Case(LEAD, status=200),
    "POST /v1/track/sale": Case({**SALE, "program_id": "{program}"}),
    "POST /v1/track/refund": Case(REFUND, status=200),
    "POST /v1/sources": Case({**SOURCE, "program_ids": ["{program}"]}, status=404),
    "GET /v1/sources": Case(status=200),
    "GET /v1/sources/{source_id}": Case(),
    "PATCH /v1/sources/{source_id}": Case({"with_tax": True}),
    "DELETE /v1/sources/{source_id}": Case(),
    "POST /v1/sources/{source_id}/reconcile": Case(SPAN),
    "GET /v1/sources/{source_id}/reconciliations": Case(),
    "GET /v1/sources/{source_id}/reconciliations/{reconciliation_id}": Case(),
    "POST /v1/events/replay": Case({**SPAN, "state": "applied"}, status=202),
    "GET /v1/events/replays": Case(status=200),
    "GET /v1/events/replays/{replay_id}": Case(),
    "GET /v1/events": Case(status=200, query="?source_id={source}"),
    "GET /v1/events/{event_id}": Case(),
    "POST /v1/events/{event_id}/replay": Case(),
    "GET /v1/customers": Case(status=200),
    "GET /v1/customers/{customer_id}": Case(),
    "POST /v1/customers/{customer_id}/aliases": Case(
        {"namespace": "stripe:", "external_id": "cus_1"}
    ),
    "POST /v1/customers/{customer_id}/partner": Case({"program_id": "{program}", "name": "C"}),
    "POST /v1/customers/{customer_id}/reassign": Case({"partner_id": None, "reason": "Mine"}),
    "GET /v1/customers/{customer_id}/export": Case(),
    "POST /v1/customers/{customer_id}/erase": Case(),
    "GET /v1/conversions": Case(status=200, query="?customer_id={customer}"),
    "GET /v1/conversions/{conversion_id}": Case(),
    "POST /v1/conversions/{conversion_id}/release": Case(),
    "POST /v1/conversions/{conversion_id}/duplicate": Case(),
    "GET /v1/commissions": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/commissions/{commission_id}": Case(),
    "GET /v1/partners/{partner_id}/balance": Case(),
    "GET /v1/partners/{partner_id}/settlements": Case(query="?program_id={program}"),
    "GET /v1/partners/{partner_id}/totals": Case(query="?program_id={program}"),
    "GET /v1/customers/{customer_id}/balance": Case(),
    "GET /v1/partners/{partner_id}/export": Case(),
    "POST /v1/partners/{partner_id}/erase": Case(),
    "GET /v1/erasures": Case(status=200),
    "GET /v1/ledger/transfers": Case(status=200),
    "GET /v1/ledger/accounts": Case(status=200, query="?partner_id={partner}"),
}  # fmt: skip

KEYLESS = frozenset({"POST /v1/webhooks/{source_id}"})
"""Routes that a signature opens, not a key; tested with their roads."""

TEMPLATE = "invite-only"
"""Templates are everybody's."""
