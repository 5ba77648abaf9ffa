"""A day's features as the Assets page tells of them."""

from datetime import date
from typing import Any

from rankloop.features.catalogue import AS_OF
from rankloop.lake.tables import Lake
from rankloop.settings import Settings


def published_features(settings: Settings, day: date) -> dict[str, Any]:
    """By table, how many rows the day has, their digest, and the version of the table that brought them."""
    lake = Lake(settings.lake_root)
    written = [lake.written(made.shape.name, day) for made in AS_OF]
    return {entry.table: {"rows": entry.rows, "version": entry.version, "digest": entry.digest} for entry in written}
