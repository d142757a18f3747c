"""Plan versions: drafted, published, never changed after that."""
