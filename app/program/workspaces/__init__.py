"""Tenants: made by the first workspace, live or test."""
