"""What a batch is made from, as a digest: the same inputs give the same rankings, and so the same name."""

import hashlib
import json
from datetime import date, timedelta

from rankloop.calendar import days_between
from rankloop.contracts.lake import PRODUCTS, SHOWN
from rankloop.features.build import lake_of
from rankloop.features.catalogue import AS_OF
from rankloop.scoring.ranker import Ranker
from rankloop.settings import Settings

FORMAT = 1
"""Raised with every change of how rankings come about, so that none passes for one made otherwise."""


def inputs_digest(settings: Settings, day: date, ranker: Ranker) -> str:
    """Of everything that the rankings as of this day depend on."""
    lake = lake_of(settings)
    seen = days_between(day - timedelta(days=settings.features.seen_days - 1), day)
    days = {SHOWN: list(seen), PRODUCTS: [day], **{builder.spec.name: [day] for builder in AS_OF}}
    digests = {
        table: {str(d): found for d, found in lake.digests(table, wanted).items()} for table, wanted in days.items()
    }
    shape = {
        "format": FORMAT,
        "model": ranker.digest,
        "scoring": settings.scoring.model_dump(mode="json", exclude={"keep_batches"}),
        "seen_days": settings.features.seen_days,
        "timezone": settings.timezone,
    }
    return hashlib.sha256(json.dumps([shape, digests], sort_keys=True).encode()).hexdigest()[:32]
