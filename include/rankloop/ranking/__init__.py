"""Rankers and how they are judged."""
