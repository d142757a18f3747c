"""Postgres: engine, transactions, tables, and the embedded server."""
