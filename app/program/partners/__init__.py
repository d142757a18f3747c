"""Partners: who may earn, and their places in programs."""
