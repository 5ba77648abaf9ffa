"""Plans a batch, every buyer's ranking as of a day, and ranks it shard by shard.

A batch is named after its inputs. Nobody sees any of it before it is published, and then all of it.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import pyarrow as pa

from rankloop.candidates.generation import SOURCE_NAMES, candidates
from rankloop.candidates.pool import CandidatePool, open_candidate_pool
from rankloop.context import Context
from rankloop.engine.protocol import Engine
from rankloop.errors import RankloopError
from rankloop.features.joining.store import FeatureStore
from rankloop.scoring.inputs import inputs_digest
from rankloop.scoring.lists import as_lists, list_time
from rankloop.scoring.ranker import BASE_RANKER, ActiveRanker, choose_ranker, load_ranker, policy_name
from rankloop.scoring.scorer import build_scorer, top_products
from rankloop.settings.scoring import ScoringSettings
from rankloop.state import rankings
from rankloop.state.rankings import DEFAULT_BUYER, Batch, Ranking
from rankloop.training.learned_definitions import require_learned_definitions

log = logging.getLogger(__name__)


class BatchError(RankloopError):
    """A batch cannot be made, or must not be shown."""


def plan_batch(context: Context, day: date) -> str:
    """Record a new batch as of this day, with its ranker and the reason for it, and return its name."""
    ranker = choose_ranker(context.state, context.registry)
    for note in ranker.notes:
        log.warning("%s", note)
    if ranker.model and ranker.version is not None:
        features = ranker.model.features
        require_learned_definitions(context.registry, context.feature_store, ranker.version, [day], features)
    inputs = inputs_digest(context.feature_store, context.settings.scoring, day, ranker)
    label = "base" if ranker.version is None else f"v{ranker.version}"
    facts = {"inputs": inputs, "model": ranker.digest, "notes": list(ranker.notes)}
    name = f"{day:%Y%m%d}_{label}_{inputs[:8]}"
    batch = Batch(name, day, ranker.version, ranker.policy, context.clock(), facts=facts)
    rankings.record_batch(context.state, batch)
    return name


def rank_shards(context: Context, name: str, shards: Iterable[int]) -> list[dict[str, Any]]:
    """Rank for the buyers of these shards and write their rankings into the batch; return how many of each shard."""
    batch = rankings.batch_by_name(context.state, name)
    ranker = BASE_RANKER if batch.version is None else load_ranker(context.registry, batch.version)
    return [_rank_shard(context, batch, ranker, shard) for shard in shards]


def _rank_shard(context: Context, batch: Batch, ranker: ActiveRanker, shard: int) -> dict[str, Any]:
    store, options = context.feature_store, context.settings.scoring
    if inputs_digest(store, options, batch.day, ranker) != batch.facts["inputs"]:
        raise BatchError(
            f"the inputs of the batch {batch.name} have changed since it was planned: features as of {batch.day} were "
            "built again, or a setting or the model is another. Clear the task `plan` and what follows it."
        )
    ranked_lists = shard_rankings(context.engine, store, options, batch, ranker, shard)
    count = rankings.write_shard(context.state, batch, shard, ranked_lists)
    context.engine.release()  # so that the tables of this shard are gone before those of the next are made
    return {"batch": batch.name, "shard": shard, "buyers": count}


def shard_rankings(  # noqa: PLR0913, PLR0917  (with what, of which batch, for whom)
    engine: Engine, store: FeatureStore, options: ScoringSettings, batch: Batch, ranker: ActiveRanker, shard: int
) -> Iterator[Ranking]:
    """Yield the ranking of each buyer of a shard, in bounded memory; with the first shard, the default ranking too."""
    scorer = build_scorer(ranker.model, ranker.digest) if ranker.model else None
    pool = open_candidate_pool(engine, store.lake, batch.day, shard, options, store.settings.seen_days)
    lists = engine.materialise(as_lists(candidates(pool), list_time(batch.day, store.zone, options.hour)))
    for rows in top_products(engine, store, lists, batch.day, scorer=scorer, top_n=options.top_n):
        yield from _by_buyer(rows, batch.policy)
    if shard == 0:
        yield _default_ranking(engine, pool)


def _by_buyer(rows: pa.Table, policy: str) -> Iterator[Ranking]:
    """Yield the rankings in rows that are ordered by buyer and rank."""
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


def _default_ranking(engine: Engine, pool: CandidatePool) -> Ranking:
    """Return the shop's own best products, for buyers that the batch does not have."""
    best = pool.products.filter(pool.products["base_place"] <= pool.options.top_n)
    schema = pa.schema({"product_id": pa.int64(), "base_score": pa.float64(), "base_place": pa.int64()})
    rows = engine.batches(best.select(*schema.names), schema).read_all().sort_by("base_place")
    scores = tuple(rows["base_score"].to_pylist())
    return Ranking(
        account_id=DEFAULT_BUYER,
        policy=policy_name(None),
        products=tuple(rows["product_id"].to_pylist()),
        scores=scores,
        base_scores=scores,
        base_ranks=tuple(rows["base_place"].to_pylist()),
        sources=("base",) * rows.num_rows,
    )
