"""Plans tried before they are published: linted, previewed, weighed against real customers."""
