"""Candidate generation: which products are scored for each buyer."""
