"""The feature families, one a file."""
