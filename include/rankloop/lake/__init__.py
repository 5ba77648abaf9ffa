"""Delta tables, one partition a market day: the only room that touches Delta."""
