"""Delta tables, one partition a market day: the only package that touches Delta."""
