"""Upkeep: what a lake, batches and reports need so that they grow no longer than they are of use."""
