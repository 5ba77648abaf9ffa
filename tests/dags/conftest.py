"""The DAG folder, read as the DAG processor reads it."""

from pathlib import Path
from typing import Any

import pytest

from rankloop.settings import load_settings

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="session")
def dag_bag(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401  (importing its type would read the wrong home)
    """Every DAG of the folder, the simulator's as well."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("airflow")
        patch.setenv("AIRFLOW_HOME", str(home))
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{home / 'airflow.db'}")
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        patch.setenv("RANKLOOP_SIMULATOR__ENABLED", "true")
        patch.syspath_prepend(str(DAGS))
        load_settings.cache_clear()
        from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415  (reads its home when first imported)

        bag = DagBag(str(DAGS))
    load_settings.cache_clear()
    return bag
