"""What a batch decided, written a table at a time."""
