"""A shop whose data is in MongoDB."""
