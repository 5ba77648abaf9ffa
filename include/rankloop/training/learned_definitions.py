"""By which definitions the features were computed that a model learned from, compared with those of a day."""

from collections.abc import Sequence
from datetime import date

from rankloop.features.joining.store import FeatureStore
from rankloop.features.partitions import day_definitions, require_same_definition
from rankloop.lake.commits import Definitions
from rankloop.ranking.lists import LISTS
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.training import record


def require_learned_definitions(
    registry: Registry, store: FeatureStore, number: int, days: Sequence[date], features: Sequence[str]
) -> None:
    """Refuse features as of a day that were computed otherwise than those that a model version learned from."""
    learned = learned_definitions(registry, store, number)
    for day in days if learned else ():
        current = day_definitions(store.lake, store.settings, store.zone, day)
        require_same_definition(
            store.settings,
            features,
            (f"the lists that version {number} learned from", learned),
            (f"features as of {day}", current),
        )


def learned_definitions(registry: Registry, store: FeatureStore, number: int) -> Definitions:
    """Return, by feature, the definition by which it was computed in a version's training set.

    Nothing is known of a model that was not trained here, or on another lake, or before definitions were noted.
    """
    training = record.open_record(registry, store.lake, versions.version(registry, number).run_id)
    if not training.run.has(record.DATA):
        return {}
    commits = store.lake.last_commits(LISTS, training.data_record["versions"][LISTS])
    definitions: dict[str, str] = {}
    for day in map(date.fromisoformat, training.data_record["days"]):
        definitions |= (commits[day].definitions if day in commits else None) or {}
    return definitions
