"""What road 1 promises when things break, shown on the real processes: `python -m faults`.

Each fault is a function that takes a seed and returns its figures; a promise that does not hold
ends the run with a line that says which. docs/faults.md tells what each does and what was seen.
"""
