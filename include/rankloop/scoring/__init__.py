"""Every buyer's ranking of every day: candidates, scores, the published batch."""
