"""Keeps a marketplace's personalised ranking fresh."""
