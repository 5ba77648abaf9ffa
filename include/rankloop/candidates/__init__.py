"""The products that are scored for a buyer."""
