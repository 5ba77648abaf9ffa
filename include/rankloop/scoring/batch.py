"""A day's rankings of every buyer: planned, ranked group by group, checked, made live. What Airflow's tasks call.

A batch is named after what it is made from. Nobody sees anything of it before it is made live, and then all of it.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from rankloop.calendar import start_of
from rankloop.candidates.generation import SOURCE_NAMES, candidates
from rankloop.candidates.pool import CandidatePool, open_candidate_pool
from rankloop.engine.opening import open_engine
from rankloop.engine.protocol import Engine
from rankloop.errors import RankloopError
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from rankloop.registry.connection import Registry
from rankloop.scoring.inputs import inputs_digest
from rankloop.scoring.ranker import Ranker, choose_ranker, load_version, policy_of
from rankloop.scoring.shelf import ranked, scorer_of
from rankloop.settings import Settings
from rankloop.state import rankings
from rankloop.state.rankings import DEFAULT_BUYER, Batch, Ranking

log = logging.getLogger(__name__)
SURFACE = "home"


class BatchError(RankloopError):
    """A batch that cannot be made, or must not be shown."""


def plan(settings: Settings, day: date, now: datetime) -> str:
    """The name of the batch of this day's rankings, recorded with who ranks and why."""
    ranker = choose_ranker(settings)
    for line in ranker.notes:
        log.warning("%s", line)
    inputs = inputs_digest(settings, day, ranker)
    who = "base" if ranker.version is None else f"v{ranker.version}"
    facts = {"inputs": inputs, "model": ranker.digest, "notes": list(ranker.notes)}
    batch = Batch(f"{day:%Y%m%d}_{who}_{inputs[:8]}", day, ranker.version, ranker.policy, now, facts=facts)
    with connect(settings.mongo) as client:
        rankings.record_batch(client, batch)
    return batch.name


def rank_group(settings: Settings, name: str, group: int) -> dict[str, Any]:
    """Rank for the buyers of one group, and put that into the batch; what it came to."""
    with connect(settings.mongo) as client:
        batch = rankings.batch_by_name(client, name)
        ranker = _ranker_of(settings, batch)
        count = rankings.write_shard(client, batch, group, rankings_of_group(settings, batch, ranker, group))
    return {"batch": name, "group": group, "buyers": count}


def _ranker_of(settings: Settings, batch: Batch) -> Ranker:
    ranker = Ranker(None, None, "") if batch.version is None else load_version(Registry(settings.mlflow), batch.version)
    if inputs_digest(settings, batch.day, ranker) != batch.facts["inputs"]:
        raise BatchError(
            f"what the batch {batch.name} is made from has changed since it was planned: features as of {batch.day} "
            "were built again, or a setting or the model is another. Clear the task `plan` and what follows it."
        )
    return ranker


def rankings_of_group(settings: Settings, batch: Batch, ranker: Ranker, group: int) -> Iterator[Ranking]:
    """The ranking of each buyer of a group, in bounded memory; with the first group, that for anybody."""
    scorer = scorer_of(ranker.model, ranker.digest) if ranker.model else None
    with open_engine(settings.features) as engine:
        lake = Lake(settings.lake_root)
        pool = open_candidate_pool(engine, lake, batch.day, group, settings.scoring, settings.features.seen_days)
        store = FeatureStore(lake, settings.features, settings.zone)
        lists = engine.materialise(as_lists(settings, pool, candidates(pool)))
        for rows in ranked(engine, store, lists, batch.day, scorer=scorer, top_n=settings.scoring.top_n):
            yield from _by_buyer(rows, batch.policy)
        if group == 0:
            yield _for_anybody(engine, settings, pool)


def as_lists(settings: Settings, pool: CandidatePool, drawn: ir.Table) -> ir.Table:
    """Candidates as a list of each buyer, such as the shop might show on its home page the day after."""
    at = start_of(pool.day + timedelta(days=1), settings.zone) + timedelta(hours=settings.scoring.hour)
    moment = ibis.literal(at.astimezone(UTC), type="timestamp('UTC')")
    return drawn.mutate(request_id=drawn["account_id"].cast("string"), ts=moment, surface=ibis.literal(SURFACE))


def _by_buyer(rows: pa.Table, policy: str) -> Iterator[Ranking]:
    """The rankings in rows that are ordered by buyer and rank."""
    columns = {name: rows[name].to_numpy() for name in rows.column_names}
    starts = (columns["rank"] == 1).nonzero()[0].tolist()
    for first, after in zip(starts, [*starts[1:], rows.num_rows], strict=True):
        yield Ranking(
            account_id=int(columns["account_id"][first]),
            policy=policy,
            products=tuple(columns["product_id"][first:after].tolist()),
            scores=tuple(columns["score"][first:after].tolist()),
            base_scores=tuple(columns["base_score"][first:after].tolist()),
            base_ranks=tuple(columns["base_rank"][first:after].tolist()),
            sources=tuple(SOURCE_NAMES[number] for number in columns["sources"][first:after]),
        )


def _for_anybody(engine: Engine, settings: Settings, pool: CandidatePool) -> Ranking:
    """The shop's own best, for whoever is not known yet."""
    best = pool.products.filter(pool.products["base_place"] <= settings.scoring.top_n)
    schema = pa.schema({"product_id": pa.int64(), "base_score": pa.float64(), "base_place": pa.int64()})
    rows = engine.batches(best.select(*schema.names), schema).read_all().sort_by("base_place")
    scores = tuple(rows["base_score"].to_pylist())
    return Ranking(
        account_id=DEFAULT_BUYER,
        policy=policy_of(None),
        products=tuple(rows["product_id"].to_pylist()),
        scores=scores,
        base_scores=scores,
        base_ranks=tuple(rows["base_place"].to_pylist()),
        sources=("base",) * rows.num_rows,
    )
