"""How a shop is read."""
