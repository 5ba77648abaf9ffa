"""Judges what was measured: rules, findings, root causes, the verdict."""
