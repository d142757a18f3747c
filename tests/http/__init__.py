"""The API in-process over ASGI, on a real Postgres."""
