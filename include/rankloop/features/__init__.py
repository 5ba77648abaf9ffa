"""What is known of buyers and products at the end of a market day: one family of features a file."""
