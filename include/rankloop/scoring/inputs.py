"""What a batch is made from, as a digest: equal inputs give equal rankings, and so the batch the same name."""

import hashlib
import json
from datetime import date, timedelta

from rankloop.calendar import days_between
from rankloop.contracts.lake import PRODUCTS, SHOWN
from rankloop.features.catalogue import load_catalogue
from rankloop.features.families import product
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.scoring.ranker import ActiveRanker
from rankloop.settings.scoring import ScoringSettings

FORMAT = 1
"""Raised whenever rankings are made in another way, so that no older batch is taken for one of today's."""


def inputs_digest(store: FeatureStore, options: ScoringSettings, day: date, ranker: ActiveRanker) -> str:
    """Return the digest of everything that the rankings as of this day depend on."""
    seen = days_between(day - timedelta(days=store.settings.seen_days - 1), day)
    days = {
        SHOWN: list(seen),
        PRODUCTS: [day],
        **{builder.spec.name: [day] for builder in load_catalogue(store.settings).as_of},
    }
    digests = {
        table: {str(d): digest for d, digest in store.lake.digests(table, wanted).items()}
        for table, wanted in days.items()
    }
    parameters = {
        "format": FORMAT,
        "model": ranker.digest,
        "scoring": options.model_dump(mode="json", exclude={"keep_batches", "tasks"}),
        "seen_days": store.settings.seen_days,
        "timezone": store.zone.key,
    }
    return hashlib.sha256(json.dumps([parameters, digests], sort_keys=True).encode()).hexdigest()[:32]


def newest_feature_day(lake: Lake) -> date | None:
    """Return the newest day that buyers can be ranked as of."""
    return max(lake.days(product.TABLE.name), default=None)
