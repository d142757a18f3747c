"""Claims: a partner says that it referred a customer, and is answered."""
