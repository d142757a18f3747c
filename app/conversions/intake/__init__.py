"""What comes in and waits: stored once, settled in batches, put back, kept for its time."""
