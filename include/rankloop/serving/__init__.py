"""The app that the shop asks: for the live rankings, for a list ranked now, and why a product stands where it does."""
