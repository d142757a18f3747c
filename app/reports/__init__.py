"""Road 3: questions about what happened, answered from rows and counters."""
