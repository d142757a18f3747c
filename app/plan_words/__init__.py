"""A plan in plain words: of its conditions, of what it pays, of each rule, and as a whole."""
