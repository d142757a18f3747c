"""Program templates: terms that a program can start with, one readable file each."""
