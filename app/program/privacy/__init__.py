"""Privacy: what a partner may ask of whoever holds its data, and the record of all erasures."""
