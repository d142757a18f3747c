"""Road 2: what billing systems and own servers say, decided and written as a difference."""
