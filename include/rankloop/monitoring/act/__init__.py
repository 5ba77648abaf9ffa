"""Does what a verdict calls for, and tells on-call."""
