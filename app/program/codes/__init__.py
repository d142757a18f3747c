"""Referral codes: made one by one or many at once, changed, archived."""
