"""What we hold about a customer: handed out and erased."""
