"""Airflow's scheduler with the libraries read in that tasks need, as the Procfile starts it.

The LocalExecutor forks its tasks from the scheduler. So what is imported here costs a task nothing, where each would
otherwise spend its first seconds on it: two for those that read events, four more for those that know models, three for
the drift report's. Importing starts no thread in any of these but OpenBLAS's, which looks after itself in a fork. Of
Rankloop itself nothing is imported: a task is to run the code as it is by then, edited or not.
"""

import runpy
import sys
from importlib import import_module

NEEDED_BY_TASKS = (
    "deltalake",
    "evidently.presets",
    "ibis.backends.duckdb",
    "mlflow.pyfunc",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pydantic_settings",
    "pymongo",
    "pymongoarrow.context",
    "sklearn.linear_model",
    "xgboost",
)


def main() -> None:
    """Become the scheduler; the arguments are its own."""
    for module in NEEDED_BY_TASKS:
        import_module(module)
    sys.argv = ["airflow", "scheduler", *sys.argv[1:]]
    runpy.run_module("airflow", run_name="__main__")


if __name__ == "__main__":
    main()
