"""The frozen corpus: decisions and mapped messages that must come out as they did.

`python -m tests.corpus` adds cases, and never changes what is there: docs/decisions/0031-*.
"""
