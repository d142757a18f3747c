"""The ledger: the only writer of money. Transfers never change, balances re-derive from them."""
