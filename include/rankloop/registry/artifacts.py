"""What a run keeps: JSON, text, tables, files and folders, each under its name.

Writing a name again replaces what it held, so that a task which was killed and runs again leaves what it would have
left anyway. A name is a path such as `evaluation/table.json`.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from pydantic_core import to_jsonable_python

from rankloop.registry.connection import RegistryError, speaking_to


class Artifacts:
    """Artifacts below one root; `owner` is whose they are, for messages."""

    def __init__(self, uri: str, root: str, owner: str) -> None:
        self.uri = uri
        self.root = root
        self.owner = owner

    # Writing

    def put_json(self, name: str, value: Any) -> None:  # noqa: ANN401  (whatever JSON can hold)
        """Keep a value: what JSON holds, and dates, tuples, dataclasses and models of pydantic as it writes them."""
        self.put_text(name, canonical_json(name, value))

    def put_text(self, name: str, text: str) -> None:
        """Keep a text, such as Markdown or HTML."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / _last(name)
            path.write_text(text, encoding="utf-8")
            self._upload(name, path)

    def put_file(self, name: str, path: Path) -> None:
        """Keep a file under this name, whatever its own is."""
        with TemporaryDirectory() as folder:
            link = Path(folder) / _last(name)  # MLflow takes the name from the path
            link.symlink_to(path.resolve(strict=True))
            self._upload(name, link)

    def put_folder(self, name: str, folder: Path) -> None:
        """Keep the files of a folder, and none that was there under this name before."""
        files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        if not files:
            raise RegistryError(f"{self.owner}: {folder} holds no file to keep as {name}; write it first.")
        with speaking_to(self.uri, f"writing {name} of {self.owner}"):
            repository = self._repository(name)
            repository.log_artifacts(str(folder))
            for stale in sorted(set(_files(repository)) - files):
                repository.delete_artifacts(stale)

    def _upload(self, name: str, path: Path) -> None:
        with speaking_to(self.uri, f"writing {name} of {self.owner}"):
            self._repository(_parent(name)).log_artifact(str(path))

    # Reading

    def has(self, name: str) -> bool:
        """Whether there is anything under this name."""
        with speaking_to(self.uri, f"looking for {name} of {self.owner}"):
            inside = self._repository(_parent(name)).list_artifacts()
        return _last(name) in {info.path for info in inside}

    def get_json(self, name: str) -> Any:  # noqa: ANN401  (as it was put)
        """Return the JSON value that was stored under this name."""
        return json.loads(self.get_text(name))

    def get_text(self, name: str) -> str:
        """Return the text that was stored under this name."""
        with TemporaryDirectory() as folder:
            return self.get_file(name, Path(folder) / "text").read_text(encoding="utf-8")

    def get_file(self, name: str, path: Path) -> Path:
        """Download a file to this path, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent) as landing:
            return self._download(name, Path(landing)).replace(path)

    def get_folder(self, name: str, folder: Path) -> Path:
        """Download a folder to this path, which must not hold anything yet; whole or not at all."""
        if folder.exists() and any(folder.iterdir()):
            raise RegistryError(f"{folder} is not empty, so {name} of {self.owner} is not put there; name another.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as landing:
            return self._download(name, Path(landing)).replace(folder)

    def _download(self, name: str, landing: Path) -> Path:
        if not self.has(name):
            raise RegistryError(
                f"{self.owner} at {self.uri} has no artifact {name}. The task that writes it comes earlier and has not "
                "run, or somebody deleted it: clear that task."
            )
        with speaking_to(self.uri, f"reading {name} of {self.owner}"):
            repository = self._repository(_parent(name))
            return Path(repository.download_artifacts(_last(name), str(landing)))

    def _repository(self, folder: str) -> ArtifactRepository:
        _refuse_outside(folder)
        root = f"{self.root}/{folder}" if folder else self.root
        return get_artifact_repository(root, tracking_uri=self.uri)


def canonical_json(name: str, value: Any) -> str:  # noqa: ANN401  (whatever JSON can hold)
    """Return a value as JSON with sorted keys, so that equal values give equal text; `name` is for messages."""
    plain = to_jsonable_python(value)
    if path := next(_not_finite(plain), None):
        raise RegistryError(f"{name}: the value at {path} is no finite number, which JSON cannot hold; write null.")
    return json.dumps(plain, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _not_finite(value: object, path: str = "the top") -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield path
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            yield from _not_finite(inside, str(key) if path == "the top" else f"{path}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, inside in enumerate(value):
            yield from _not_finite(inside, f"{path}[{number}]")


def _parent(name: str) -> str:
    parent = str(PurePosixPath(name).parent)
    return "" if parent == "." else parent


def _last(name: str) -> str:
    return PurePosixPath(name).name


def _refuse_outside(folder: str) -> None:
    if folder.startswith("/") or ".." in PurePosixPath(folder).parts:
        raise RegistryError(f"no artifact is kept in {folder}, which is outside of its run; name a path within.")


def _files(repository: ArtifactRepository, folder: str | None = None) -> Iterator[str]:
    for info in repository.list_artifacts(folder):
        if info.is_dir:
            yield from _files(repository, info.path)
        else:
            yield info.path
