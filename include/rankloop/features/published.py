"""What the Assets page shows of a day's features."""

from datetime import date
from typing import Any

from rankloop.features.catalogue import load_catalogue
from rankloop.lake.tables import Lake
from rankloop.settings.features import FeatureSettings


def published_features(lake: Lake, settings: FeatureSettings, day: date) -> dict[str, Any]:
    """Return, by table, how many rows the day has, their digest, and the version of the table that brought them."""
    written = [lake.written(builder.spec.name, day) for builder in load_catalogue(settings).as_of]
    return {entry.table: {"rows": entry.rows, "version": entry.version, "digest": entry.digest} for entry in written}
