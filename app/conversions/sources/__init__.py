"""Billing systems that tell us of sales: set up, and asked for what they told us not."""
