"""Finderfee: who brought this customer, and what do we owe them? Three roads, one core, one ledger.

click       GET /r/{code} ──► redirect/ ──► journal on disk ──► 302 ──► (drain) ──► Postgres
conversion  webhook, track ─► conversions/ ─► inbox ─► facts ─► core folds ─► difference ─► ledger/
question    GET /v1/… ─────► reports/, ledger/read, program/* ─► rows, balances, reasons
"""

__version__ = "0.1.0"
