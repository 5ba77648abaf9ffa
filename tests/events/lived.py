"""A simulated marketplace lived day by day, each day read and cleaned in the night after it, as in life."""

import json
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from rankloop.calendar import start_of
from rankloop.contracts.marketplace import COLLECTIONS
from rankloop.events.cleaning import clean_events
from rankloop.events.extraction import extract_day
from rankloop.events.ingestion import Ingestion
from rankloop.events.late_events import LateEvents, count_late_events
from rankloop.events.summaries import DaySummary
from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from rankloop.settings.cleaning import CleaningSettings
from rankloop_demo.simulator import dirt
from rankloop_demo.simulator.history import Diary, live_days
from rankloop_demo.simulator.living import Marketplace
from tests.events.shop import HANOI, ingestion_of
from tests.mongo_server import serving

FIRST = date(2026, 10, 30)
DAYS = [FIRST + timedelta(days=number) for number in range(4)]
DIRTIER = 6
"""Times the simulator's usual dirt, so that a small marketplace has every kind of it."""
Stain = dict[str, Any]


@dataclass(frozen=True)
class Lived:
    """What is left of the days lived: what it was ingested with, the truth, and what each day's cleaning said."""

    ingestion: Ingestion
    stains: dict[date, list[Stain]]
    """By day of arrival."""
    standing: dict[date, list[Stain]]
    """By day, the stains of the catalogues that had not been written over by its end."""
    facts: dict[date, DaySummary]
    """After every day was cleared once more, when its late events were there."""
    late: dict[date, LateEvents]
    """Before that."""

    def document(self, stain: Stain) -> dict[str, Any]:
        """The document that a stain is on."""
        found = self.ingestion.state["marketplace"][stain["collection"]].find_one({"_id": ObjectId(stain["id"])})
        assert found
        return found


@contextmanager
def lived(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lived]:
    """Four days of a small and dirty marketplace."""
    for collection, soils in dirt.SOILS.items():
        more = {kind: (share * DIRTIER, soil) for kind, (share, soil) in soils.items()}
        monkeypatch.setitem(dirt.SOILS, collection, more)
    for collection, share in dirt.DUPLICATES.items():
        monkeypatch.setitem(dirt.DUPLICATES, collection, share * DIRTIER)
    place = Marketplace(11, 0.3, FIRST, "Asia/Ho_Chi_Minh")
    with serving(folder / "mongo") as address:
        client = connect(address)
        ingestion = ingestion_of(client, Lake(folder / "lake"), CleaningSettings(bad_share=0.2))
        diary = Diary(address, folder / "truth")
        stains, standing = {}, {}
        for day in DAYS:
            list(live_days(place, [day], diary))
            _ingest(ingestion, day, _night_after(day))
            stains[day] = [json.loads(line) for line in (folder / "truth" / f"{day}.jsonl").read_text().splitlines()]
            standing[day] = _standing(ingestion, [*standing.get(day - timedelta(days=1), []), *stains[day]])
        late = {day: count_late_events(ingestion, day) for day in DAYS}
        facts = {day: _ingest(ingestion, day, _night_after(day) + timedelta(days=7)) for day in DAYS}
        monkeypatch.undo()  # tests of the simulator, in the same session, want the usual dirt
        yield Lived(ingestion, stains, standing, facts, late)
        client.close()


def _night_after(day: date) -> datetime:
    return start_of(day + timedelta(days=1), HANOI) + timedelta(minutes=30)


def _ingest(ingestion: Ingestion, day: date, now: datetime) -> DaySummary:
    for source in COLLECTIONS:
        extract_day(ingestion, day, source, now)
    return clean_events(ingestion, day, now)


def _standing(ingestion: Ingestion, stains: list[Stain]) -> list[Stain]:
    """The stains of products and buyers that are still on them; of one made twice, the later."""
    found = {}
    for stain in stains:
        if stain["collection"] in {"buyers", "products"}:
            document = (
                ingestion.state["marketplace"][stain["collection"]].find_one({"_id": ObjectId(stain["id"])}) or {}
            )
            field = stain["field"]
            if stain["value"] == (repr(document[field]) if field in document else ""):
                found[stain["id"]] = stain
    return list(found.values())


def mended(text: str) -> str:
    """A text as it should be."""
    return unicodedata.normalize("NFC", " ".join(text.split()))
