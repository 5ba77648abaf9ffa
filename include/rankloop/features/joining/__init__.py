"""Joins lists with the features of the day before."""
