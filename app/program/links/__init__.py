"""Tracking links: made on request, changed, archived."""
