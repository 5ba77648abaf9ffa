"""The `rankloop` command."""
