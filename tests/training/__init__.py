"""Tests of the steps of a training."""
