"""What became of the rankings that were shown: live results, day by day."""
