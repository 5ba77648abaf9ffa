"""Maintenance: compacts the lake, and removes files, batches and reports that nothing needs any more."""
