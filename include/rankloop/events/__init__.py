"""Events: a market day extracted from its source, validated, cleaned and summarised."""
