"""A marketplace to run the loop on: the stand-in for a shop, with hidden tastes that never reach MongoDB."""
