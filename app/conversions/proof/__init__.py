"""`verify`: everything that was decided, done again from what is stored."""
