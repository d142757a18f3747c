"""A version of a program's terms, tried on what really happened: the same fold, other terms."""
