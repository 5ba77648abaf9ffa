"""The embedded stack: Airflow, MLflow and a MongoDB-compatible server as processes of this machine."""
