"""What runs the expressions: DuckDB in this process, or a Spark cluster."""
