"""The program's features: each a package of its own, none knows another."""
