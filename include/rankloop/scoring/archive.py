"""Keeps what was shown: batches are copied to the lake, and old ones removed from MongoDB."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from rankloop.champions.current import reconcile_aliases
from rankloop.champions.history import champion_history
from rankloop.contracts.lake import SCORES, SCORES_SCHEMA
from rankloop.lake.commits import WriteResult
from rankloop.lake.tables import Lake
from rankloop.mongo import Client
from rankloop.registry.connection import Registry
from rankloop.state import rankings
from rankloop.state.rankings import LISTED, Batch, Ranking

RANKINGS_PER_BLOCK = 2000
CHAMPIONS_WITH_BATCH = 3
"""Of this number of champions the last batch is kept, so that a rollback can publish it at once."""


def archive_batch(state: Client, lake: Lake, name: str) -> WriteResult | None:
    """Write a published batch to the lake, where it is judged once buyers have reacted; None if it never was live."""
    batch = rankings.batch_by_name(state, name)
    if batch.published_at is None:
        return None
    blocks = _as_rows(batch, rankings.batch_rankings(state, batch))
    rows = pa.RecordBatchReader.from_batches(_row_schema(), blocks)
    return lake.replace_day(SCORES, batch.day, rows, SCORES_SCHEMA)


def _row_schema() -> pa.Schema:
    return SCORES_SCHEMA.remove(0)


def _as_rows(batch: Batch, batch_rankings: Iterator[Ranking]) -> Iterator[pa.RecordBatch]:
    schema = _row_schema()
    while block := list(islice(batch_rankings, RANKINGS_PER_BLOCK)):
        sizes = [len(ranking.products) for ranking in block]
        columns: dict[str, Any] = {
            "account_id": np.repeat([ranking.account_id for ranking in block], sizes),
            "rank": np.concatenate([np.arange(1, size + 1) for size in sizes]),
            "policy": [ranking.policy for ranking, size in zip(block, sizes, strict=True) for _ in range(size)],
            "version": [batch.version] * sum(sizes),
            "batch": [batch.name] * sum(sizes),
        }
        singular = {"products": "product_id", "scores": "score", "base_scores": "base_score", "base_ranks": "base_rank"}
        for listed in LISTED:
            columns[singular.get(listed, listed)] = [value for ranking in block for value in getattr(ranking, listed)]
        yield pa.RecordBatch.from_arrays([pa.array(columns[f.name], f.type) for f in schema], schema=schema)


def remove_old_batches(state: Client, registry: Registry, newest: int) -> list[str]:
    """Remove batches that no rollback needs, and return their names.

    Kept are the newest ones, the live one, and the last one of each recent champion.
    """
    champions = champion_history(reconcile_aliases(state, registry))[-CHAMPIONS_WITH_BATCH:]
    batches, live = rankings.list_batches(state), rankings.live_batch(state)
    kept = {*_kept(batches, newest, champions), *([live.batch] if live else [])}
    old = [batch for batch in batches if batch.name not in kept]
    for batch in old:
        rankings.remove_batch(state, batch)
    return [batch.name for batch in old]


def _kept(batches: Iterable[Batch], newest: int, champions: Iterable[int | None]) -> Iterator[str]:
    """Yield the newest of all, published or in progress, and the newest published one of each of these champions."""
    wanted, seen = set(champions), Counter[int | None]()
    for number, batch in enumerate(batches):
        if number < newest or (batch.published_at and batch.version in wanted and not seen[batch.version]):
            yield batch.name
        seen[batch.version] += batch.published_at is not None
