"""From a batch that is written to one that is shown: checked, made live, kept in the lake; old ones removed."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.candidates.generation import SOURCES
from rankloop.candidates.pool import ON_SALE
from rankloop.champions.current import reconcile_aliases
from rankloop.champions.history import champion_history, champion_number
from rankloop.contracts.lake import PRODUCTS, SCORES, SCORES_SCHEMA
from rankloop.features.build import lake_of
from rankloop.features.families import buyer, product
from rankloop.lake.commits import WriteResult
from rankloop.mongo import Client, connect
from rankloop.registry.connection import Registry
from rankloop.scoring.batch import BatchError
from rankloop.settings import Settings
from rankloop.state import actions, rankings
from rankloop.state.rankings import DEFAULT_BUYER, LISTED, Batch, Ranking

log = logging.getLogger(__name__)
AT_A_TIME = 2000
FLATTEST = 1e-9
"""Scores that differ by less in a whole batch rank nothing."""
SHOWN_AGAIN = 3
"""So many former champions keep their last batch, for going back to them at once."""
LAST_SEEN = "buyer_days_since_visit"
"""Unknown of a buyer who was shown nothing and opened nothing within the days that features look back on."""


def check(settings: Settings, name: str) -> dict[str, Any]:
    """Refuse a batch that must not be shown: what is in it, and that it is everything."""
    lake = lake_of(settings)
    with connect(settings.mongo) as client:
        batch = rankings.batch_by_name(client, name)
        listed = lake.read(PRODUCTS, [batch.day], ["product_id", "status"])
        on_sale = listed.filter(pc.equal(listed["status"], ON_SALE))["product_id"].to_numpy()
        known = lake.read(buyer.TABLE.name, [batch.day], ["account_id", LAST_SEEN])
        awaited = {*known["account_id"].to_pylist(), DEFAULT_BUYER}
        found = _looked_through(rankings.batch_rankings(client, batch), np.unique(on_sale), awaited)
        if faults := found.faults():
            raise BatchError(
                f"the batch {name} must not be shown: {'; '.join(faults)}. Clear the task `rank` of that group (or "
                "`plan`, if the catalogue is wrong) and what follows it. What is live stays live."
            )
        facts = {**found.facts(), "without_history": known[LAST_SEEN].null_count}
        rankings.add_batch_facts(client, name, checked=facts)
    return facts


@dataclass
class Looked:
    """What was found in a batch."""

    missing: set[int]
    """Buyers that no ranking was found of."""
    strangers: int = 0
    empty: int = 0
    repeating: int = 0
    unavailable: int = 0
    rankings: int = 0
    products: int = 0
    lowest: float = np.inf
    highest: float = -np.inf
    sources: Counter[str] = field(default_factory=Counter)
    """How many products of buyers' rankings came from where, such as `base+shops`."""

    def faults(self) -> list[str]:
        """What is wrong, in words; nothing where nothing is."""
        said = [f"buyer {account}" for account in islice(sorted(self.missing), 3)]
        flat = self.highest - self.lowest < FLATTEST
        return [
            *([f"{len(self.missing):,} buyers have no ranking, such as {', '.join(said)}"] if self.missing else []),
            *([f"{self.strangers:,} rankings are of nobody that there is"] if self.strangers else []),
            *([f"{self.empty:,} rankings are empty"] if self.empty else []),
            *([f"{self.repeating:,} rankings hold a product twice"] if self.repeating else []),
            *([f"{self.unavailable:,} products in rankings are not on sale"] if self.unavailable else []),
            *([f"all scores are {self.lowest:g}, so they rank nothing"] if self.products and flat else []),
        ]

    def facts(self) -> dict[str, Any]:
        """What is worth knowing of a batch that is good."""
        return {
            "buyers": self.rankings - 1,
            "products": self.products,
            "lowest_score": self.lowest,
            "highest_score": self.highest,
            "sources": self.shares(),
        }

    def shares(self) -> dict[str, float]:
        """What part of the products that buyers are shown each source named; several may have named one."""
        every = max(self.sources.total(), 1)
        named = {
            source.name: sum(count for names, count in self.sources.items() if source.name in names.split("+"))
            for source in SOURCES
        }
        return {name: round(count / every, 4) for name, count in named.items()}


def _looked_through(found: Iterable[Ranking], on_sale: Any, awaited: set[int]) -> Looked:  # noqa: ANN401  (an array)
    looked = Looked(awaited)
    for ranking in found:
        products = np.asarray(ranking.products, dtype=np.int64)
        looked.strangers += ranking.account_id not in looked.missing
        looked.missing.discard(ranking.account_id)
        looked.rankings += 1
        looked.products += len(products)
        looked.empty += not len(products)
        looked.repeating += len(np.unique(products)) < len(products)
        looked.unavailable += int(np.count_nonzero(~np.isin(products, on_sale)))
        # The shop's own ranking of strangers stands in other figures than a model's, and draws on one source.
        if len(products) and ranking.account_id != DEFAULT_BUYER:
            looked.sources.update(ranking.sources)
            looked.lowest = min(looked.lowest, *ranking.scores)
            looked.highest = max(looked.highest, *ranking.scores)
    return looked


def publish(settings: Settings, name: str, now: datetime) -> str:
    """Make a checked batch live, unless another should be; says what came of it."""
    with connect(settings.mongo) as client:
        batch = rankings.batch_by_name(client, name)
        if "checked" not in batch.facts:
            raise BatchError(f"the batch {name} was not checked; clear the task `check`.")
        if why := _overtaken(settings, client, batch):
            log.warning("%s is not made live: %s", name, why)
            return f"not made live: {why}"
        rankings.publish_batch(client, batch, now)
    return f"live: {batch.policy}, as of {batch.day}"


def _overtaken(settings: Settings, client: Client, batch: Batch) -> str:
    """Why a batch comes too late, or nothing: a day cleared long after, or a decision about the champion since."""
    shown = rankings.live_batch(client)
    champion = champion_number(reconcile_aliases(client, Registry(settings.mlflow)))
    if batch.version is not None and (why := actions.held_versions(client).get(batch.version)):
        return f"{batch.policy} is held back: {why}"
    if batch.version != champion and not batch.facts["notes"]:
        return f"{batch.policy} ranked it, and is the champion no more; scoring was started when that was decided"
    if shown and shown.day > batch.day and shown.version == champion:
        return f"what is live knows a later day, {shown.day}"
    return ""


def keep_scores(settings: Settings, name: str) -> WriteResult | None:
    """Write what the batch holds to the lake, so that it can be judged when buyers have answered it."""
    with connect(settings.mongo) as client:
        batch = rankings.batch_by_name(client, name)
        if batch.published_at is None:
            return None
        rows = pa.RecordBatchReader.from_batches(_stored(), _as_rows(batch, rankings.batch_rankings(client, batch)))
        return lake_of(settings).replace_day(SCORES, batch.day, rows, SCORES_SCHEMA)


def _stored() -> pa.Schema:
    return SCORES_SCHEMA.remove(0)


def _as_rows(batch: Batch, found: Iterator[Ranking]) -> Iterator[pa.RecordBatch]:
    while some := list(islice(found, AT_A_TIME)):
        sizes = [len(ranking.products) for ranking in some]
        columns: dict[str, Any] = {
            "account_id": np.repeat([ranking.account_id for ranking in some], sizes),
            "rank": np.concatenate([np.arange(1, size + 1) for size in sizes]),
            "policy": [ranking.policy for ranking, size in zip(some, sizes, strict=True) for _ in range(size)],
            "version": [batch.version] * sum(sizes),
            "batch": [batch.name] * sum(sizes),
        }
        singular = {"products": "product_id", "scores": "score", "base_scores": "base_score", "base_ranks": "base_rank"}
        for listed in LISTED:
            columns[singular.get(listed, listed)] = [value for one in some for value in getattr(one, listed)]
        yield pa.RecordBatch.from_arrays([pa.array(columns[f.name], f.type) for f in _stored()], schema=_stored())


def tidy(settings: Settings) -> list[str]:
    """Remove batches that nobody goes back to; the names of those removed."""
    with connect(settings.mongo) as client:
        champions = champion_history(reconcile_aliases(client, Registry(settings.mlflow)))[-SHOWN_AGAIN:]
        there = rankings.list_batches(client)
        keep = set(_kept(there, settings.scoring.keep_batches, champions))
        shown = rankings.live_batch(client)
        gone = [batch for batch in there if batch.name not in keep and not (shown and shown.batch == batch.name)]
        for batch in gone:
            rankings.remove_batch(client, batch)
    return [batch.name for batch in gone]


def _kept(there: Iterable[Batch], newest: int, champions: Iterable[int | None]) -> Iterator[str]:
    """The newest of all, published or still under way, and the newest published of each of these champions."""
    wanted, seen = set(champions), Counter[int | None]()
    for number, batch in enumerate(there):
        if number < newest or (batch.published_at and batch.version in wanted and not seen[batch.version]):
            yield batch.name
        seen[batch.version] += batch.published_at is not None


def show_again(settings: Settings, now: datetime) -> str:
    """After a rollback: the champion's last published batch is shown at once; empty if it has none any more."""
    with connect(settings.mongo) as client:
        champion = champion_number(reconcile_aliases(client, Registry(settings.mlflow)))
        mine = (batch for batch in rankings.list_batches(client) if batch.published_at and batch.version == champion)
        if batch := max(mine, key=lambda batch: (batch.day, batch.published_at), default=None):
            rankings.publish_batch(client, batch, now)
    return batch.name if batch else ""


def publish_fallback(state: Client, now: datetime) -> str:
    """Publish the newest other batch where the live one was ranked by a version that is held back.

    Return the name of the live batch, or nothing if there is no other.
    """
    held, live = actions.held_versions(state), rankings.live_batch(state)
    if live and live.version not in held:
        return live.batch
    others = (batch for batch in rankings.list_batches(state) if batch.published_at and batch.version not in held)
    if batch := max(others, key=lambda batch: (batch.day, batch.published_at), default=None):
        rankings.publish_batch(state, batch, now)
    return batch.name if batch else ""


def outdated(settings: Settings, day: date) -> str:
    """Why nobody needs rankings as of this day any more, or nothing: another day is shown, and this one never was."""
    with connect(settings.mongo) as client:
        shown = rankings.live_batch(client)
        was_shown = any(batch.day == day and batch.published_at for batch in rankings.list_batches(client))
    if shown and shown.day > day and not was_shown:
        return f"what is live knows a later day, {shown.day}; nobody will see rankings as of {day}"
    return ""


def newest_day(settings: Settings) -> date | None:
    """The newest day that everything can be ranked as of."""
    return max(lake_of(settings).days(product.TABLE.name), default=None)
