"""What pages and the terminal show: queries and drawings, no web framework."""
