"""A day's features as the Assets page tells of them."""

from datetime import date
from typing import Any

from rankloop.features.catalogue import AS_OF
from rankloop.lake.tables import Lake
from rankloop.settings import Settings


def published_features(settings: Settings, day: date) -> dict[str, Any]:
    """By table, how many rows the day has, at which version of the table, and their digest."""
    lake = Lake(settings.lake_root)
    return {
        made.shape.name: {
            "rows": lake.rows(made.shape.name)[day],
            "version": lake.version(made.shape.name),
            "digest": lake.digest(made.shape.name, day),
        }
        for made in AS_OF
    }
