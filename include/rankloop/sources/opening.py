"""Opens the source that the settings name."""

from importlib import import_module
from typing import cast

from rankloop.errors import RankloopError
from rankloop.settings import variable
from rankloop.sources.protocol import Source, SourceConfig

METHODS = sorted(name for name in vars(Source) if not name.startswith("_"))


class SourceTypeError(RankloopError):
    """A setting `source.type` that is not the path of a source."""


def open_source(config: SourceConfig) -> Source:
    """Return the source that `source.type` names by its dotted path; the caller closes it."""
    path = config.settings.type
    module, _, name = path.rpartition(".")
    where = f"{variable('source.type')} = {path!r}"
    try:
        source_class = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise SourceTypeError(
            f"{where}: there is no module {error.name}. Install the package that holds it where Airflow's tasks run, "
            "or correct the path."
        ) from error
    except AttributeError:
        raise SourceTypeError(f"{where}: the module {module} has no {name}. Correct the path.") from None
    source = source_class(config)
    if missing := [method for method in METHODS if not callable(getattr(source, method, None))]:
        raise SourceTypeError(
            f"{where} is not a source: it lacks {', '.join(missing)}. See rankloop.sources.protocol.Source."
        )
    return cast("Source", source)
