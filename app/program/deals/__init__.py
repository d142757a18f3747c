"""Deals: prospects that partners register, kept for whoever came first."""
