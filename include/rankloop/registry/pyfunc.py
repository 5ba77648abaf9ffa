"""A model's folder as an MLflow model: with MLflow and this package, anybody can load and serve it.

MLflow is told which module loads the folder, this one, instead of being handed an object to pickle, and so nothing is
unpickled to load a model. A folder is kept under its own digest, so a version that was registered never changes.
"""

import json
import shutil
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.pyfunc
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from mlflow.models import Model as Described
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from rankloop.ranking.model import FILE, Model, load_model
from rankloop.registry.connection import RegistryError
from rankloop.registry.tracking import TrainingRun

INSIDE = "data/model"
"""Where MLflow keeps the model's own folder within its one."""
LIBRARIES = ("mlflow", "numpy", "pandas", "pyarrow", "xgboost-cpu", "xgboost")
"""What scores may depend on; the versions of those installed go with the model."""


class Predictor:
    """What MLflow calls to predict: a table of features by name gives the `pscore` of each row."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, data: pd.DataFrame, params: dict[str, Any] | None = None) -> npt.NDArray[np.float64]:  # noqa: ARG002  (MLflow passes it)
        """Return the score of each row; a missing value is NaN or null."""
        # The lake keeps features as float32, and a score must not depend on who sent them.
        columns = {name: data[name].to_numpy(np.float32, na_value=np.nan) for name in self.model.features}
        return self.model.score(pa.RecordBatch.from_pydict(columns))


def _load_pyfunc(folder: str) -> Predictor:
    """Load a model from its folder; MLflow calls this by its name."""
    return Predictor(load_model(Path(folder)))


def model_digest(folder: Path) -> str:
    """Return the digest of a folder's files, over their names and their bytes."""
    digest = sha256()
    for path in sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.as_posix()):
        # Lengths first, or one file's end could pass for the next one's name.
        name, content = path.relative_to(folder).as_posix().encode(), path.read_bytes()
        digest.update(len(name).to_bytes(8, "big") + name + len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def artifact_of(digest: str) -> str:
    """Under which name a run keeps the model with this digest."""
    return f"models/{digest[:16]}"


def put_model(run: TrainingRun, folder: Path, example: pa.Table | pa.RecordBatch) -> str:
    """Keep a model's folder with a run, as the one that its later tasks are about; gives its digest.

    `example` is a few rows of features, as an input example.
    """
    digest = model_digest(folder)
    with TemporaryDirectory() as landing:
        copy = shutil.copytree(folder, Path(landing) / "model")
        features = json.loads((copy / FILE).read_text(encoding="utf-8"))["features"]
        described = Described(
            run_id=run.run_id,
            artifact_path=artifact_of(digest),
            # Neither a clock nor chance, so that a task that runs again writes the same.
            utc_time_created=datetime.fromtimestamp(run.started_ms / 1000, UTC).replace(tzinfo=None),
            model_uuid=digest[:32],
            signature=_signature(features),
        )
        mlflow.pyfunc.save_model(
            Path(landing) / "pyfunc",
            loader_module=__name__,
            data_path=str(copy),
            mlflow_model=described,
            input_example=_as_frame(example, features),
            pip_requirements=_requirements(),
        )
        run.put_folder(artifact_of(digest), Path(landing) / "pyfunc")
    run.tag(model_digest=digest)
    return digest


def get_model(run: TrainingRun, folder: Path) -> Path:
    """Download the folder of the run's model to this path, which must not hold anything yet."""
    if not (digest := run.tags.get("rankloop.model_digest")):
        raise RegistryError(f"{run.owner} at {run.uri} has no model yet: clear the task that trains it.")
    return intact(run.get_folder(f"{artifact_of(digest)}/{INSIDE}", folder), digest, run.owner)


def intact(folder: Path, digest: str, owner: str) -> Path:
    """Return the folder if its files still have this digest; refuse it otherwise."""
    if (actual := model_digest(folder)) != digest:
        raise RegistryError(
            f"the model of {owner} has the digest {actual[:16]}…, and had {digest[:16]}… when it was kept: its files "
            "were changed since. Do not use it; train it again."
        )
    return folder


def _signature(features: list[str]) -> ModelSignature:
    # MLflow lets float32 pass for double, but not the reverse.
    inputs = Schema([ColSpec("double", name) for name in features])
    return ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double", "pscore")]))


def _as_frame(example: pa.Table | pa.RecordBatch, features: list[str]) -> pd.DataFrame:
    if missing := [name for name in features if name not in example.schema.names]:
        raise RegistryError(f"the example rows lack features of the model: {', '.join(missing)}.")
    return example.select(features).to_pandas().astype(np.float64)


def _requirements() -> list[str]:
    requirements = []
    for library in LIBRARIES:
        try:
            requirements.append(f"{library}=={version(library)}")
        except PackageNotFoundError:
            continue
    return requirements
