"""Rankers: what turns a row of prepared features into a score. One a file, all alike to those who use them."""
