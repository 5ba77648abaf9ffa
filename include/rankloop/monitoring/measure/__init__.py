"""Measures a day: drift, quality, performance, concept."""
