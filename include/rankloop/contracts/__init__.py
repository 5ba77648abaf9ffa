"""The shape of every collection and table."""
