"""A market day's events: read out of MongoDB, cleaned, checked, and told about."""
