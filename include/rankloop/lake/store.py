"""The files under a lake's root: a folder, or an object store."""

import shutil
import uuid
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.fs
from deltalake.fs import DeltaStorageHandler


class FileStore:
    """The files under one root; `options` is what the object store must be told, in delta-rs' words."""

    def __init__(self, root: str | Path, options: Mapping[str, str] | None = None) -> None:
        text = str(root)
        self.root = text.rstrip("/") if "://" in text else str(Path(text).expanduser().resolve())
        self.options = dict(options or {})

    @cached_property
    def _store(self) -> Any:  # noqa: ANN401  (pyarrow ships no types)
        if "://" not in self.root:
            Path(self.root).mkdir(parents=True, exist_ok=True)
        return pyarrow.fs.PyFileSystem(DeltaStorageHandler(self.root, self.options))

    def put(self, name: str, content: bytes) -> None:
        """Store a file, such as a page; a reader sees the former one or this, and nothing between."""
        landing = f"{name}.{uuid.uuid4().hex}"
        # Past a buffer, Arrow hands on a buffer of its own, which delta-rs refuses.
        with self._store.open_output_stream(landing, buffer_size=len(content) + 1) as sink:
            sink.write(content)
        self._store.move(landing, name)

    def get(self, name: str) -> bytes | None:
        """Return what was put under this name, or None."""
        [info] = self._store.get_file_info([name])
        if info.type != pyarrow.fs.FileType.File:
            return None
        with self._store.open_input_file(name) as source:
            return bytes(source.read())

    def folders(self, folder: str) -> list[str]:
        """Return the paths of the folders in a folder; none if there is no such folder."""
        inside = self._store.get_file_info(pyarrow.fs.FileSelector(folder, allow_not_found=True))
        return sorted(entry.path.strip("/") for entry in inside if entry.type == pyarrow.fs.FileType.Directory)

    def remove_folder(self, folder: str) -> None:
        """Remove a folder that is no table's, with what is in it."""
        if "://" in self.root:
            self._store.delete_dir(folder)
        else:  # of which the store would leave the empty folder
            shutil.rmtree(f"{self.root}/{folder}")

    def file_sizes_of(self, paths: list[str]) -> dict[str, int]:
        """Return, by path, the bytes of those of these files that exist."""
        return {entry.path: entry.size for entry in self._store.get_file_info(paths) if entry.is_file}

    def _path(self, uri: str) -> str:
        return uri.removeprefix(f"{self.root}/")
