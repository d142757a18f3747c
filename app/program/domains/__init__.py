"""Custom domains: claimed by a program, verified by what their host shows, archived."""
