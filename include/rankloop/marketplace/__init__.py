"""MongoDB in and out: the only room that speaks to it."""
