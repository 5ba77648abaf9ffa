"""Scores candidates and keeps the best of each buyer: one way for a whole day, for one list, and for a file."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache, partial
from math import gcd
from pathlib import Path
from tempfile import TemporaryDirectory

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.candidates.pool import BUYER_SHARDS
from rankloop.engine.duck import DuckEngine
from rankloop.engine.protocol import BatchFunction, Engine, count_rows
from rankloop.features.joining.arrays import Gatherer, Matrix
from rankloop.features.joining.sets import BUYER, LIST_COLUMNS, Portion, join_features, joined_schema
from rankloop.features.order import best_first, ranks
from rankloop.ranking.model import Model, load_model
from rankloop.ranking.preprocessing import prepared
from rankloop.settings import Settings

OWN = pa.schema(
    {
        "account_id": pa.int64(),
        "product_id": pa.int64(),
        "base_score": pa.float64(),
        "sources": pa.int64(),
    }
)
PORTION_ROWS = 1 << 18
"""Candidates that are read or joined at a time."""
AT_ONCE = 1 << 16
"""Those of them that a thread sees to at a time, where they are joined here."""
RANKED = pa.schema([*OWN, ("base_rank", pa.int64()), ("score", pa.float64()), ("rank", pa.int64())])


@dataclass(frozen=True)
class Scorer:
    """A model that travels: its files go to wherever rows are, and are read once in each process."""

    digest: str
    features: tuple[str, ...]
    files: Mapping[str, bytes] = field(compare=False, hash=False, repr=False)

    def carrying(self, own: pa.Schema) -> BatchFunction:
        """Work that gives each row's own columns and its `score`, from rows that have the model's features too."""
        return partial(_score, self, own)


def scorer_of(model: Model, digest: str) -> Scorer:
    """A model made ready to travel."""
    with TemporaryDirectory() as folder:
        model.save(Path(folder))
        files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    return Scorer(digest, model.features, files)


@lru_cache(maxsize=2)
def _loaded(scorer: Scorer) -> Model:
    with TemporaryDirectory() as folder:
        for name, content in scorer.files.items():
            (Path(folder) / name).write_bytes(content)
        return load_model(Path(folder))


def _score(scorer: Scorer, own: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    model, schema = _loaded(scorer), with_score(own)
    for batch in batches:
        score = model.score(narrow(batch, scorer.features))
        yield pa.RecordBatch.from_arrays([*(batch[name] for name in own.names), pa.array(score)], schema=schema)


def with_score(own: pa.Schema) -> pa.Schema:
    """These columns and the score."""
    return own.append(pa.field("score", pa.float64()))


def narrow(batch: pa.RecordBatch, features: tuple[str, ...]) -> pa.RecordBatch:
    """The features as training lists hold them, or the same product would get another score here than in evaluation."""
    return pa.RecordBatch.from_arrays(
        [pc.cast(batch[name], pa.float32(), safe=False) for name in features], names=list(features)
    )


def portions(engine: Engine, lists: ir.Table) -> Iterator[Portion]:
    """Shares of the buyers, each with lists for one go."""
    many = -(-count_rows(engine, lists) // PORTION_ROWS)
    # Within a group all ids end in one digit, so shares by a number with a factor of ten would be of unlike sizes.
    while many and gcd(many, BUYER_SHARDS) > 1:
        many += 1
    return (Portion(number, many) for number in range(many))


def scored(  # noqa: PLR0913  (as in `join_features`)
    engine: Engine,
    settings: Settings,
    lists: ir.Table,
    as_of: date,
    *,
    scorer: Scorer | None,
    own: pa.Schema,
) -> Iterator[pa.Table]:
    """The score of each row of lists, with its own columns and `base_rank`; a portion of the buyers at a time.

    Without a scorer the score is `base_score`.
    """
    if scorer and isinstance(engine, DuckEngine):
        yield from _scored_here(engine, settings, lists, as_of, scorer=scorer, own=own, then=lambda rows: rows)
        return
    for portion in portions(engine, lists):
        found = _scored_there(engine, settings, lists, as_of, scorer=scorer, own=own, portion=portion)
        yield engine.batches(found, with_score(_with_rank(own))).read_all()


def ranked(
    engine: Engine, settings: Settings, lists: ir.Table, as_of: date, *, scorer: Scorer | None
) -> Iterator[pa.Table]:
    """The best products of each buyer, those of a buyer together, best first; a portion of the buyers at a time."""
    most = settings.scoring.top_n
    if scorer and isinstance(engine, DuckEngine):
        best = partial(_best, most=most)
        yield from _scored_here(engine, settings, lists, as_of, scorer=scorer, own=OWN, then=best)
        return
    best = ibis.window(group_by="account_id", order_by=[ibis.desc("score"), "product_id"])
    for portion in portions(engine, lists):
        found = _scored_there(engine, settings, lists, as_of, scorer=scorer, own=OWN, portion=portion)
        placed = found.mutate(rank=ibis.row_number().over(best) + 1)
        kept = engine.batches(placed.filter(placed["rank"] <= most), RANKED).read_all()
        yield kept.sort_by([("account_id", "ascending"), ("rank", "ascending")])


def _with_rank(own: pa.Schema) -> pa.Schema:
    return own.append(pa.field("base_rank", pa.int64()))


def _scored_there(  # noqa: PLR0913  (as in `scored`)
    engine: Engine,
    settings: Settings,
    lists: ir.Table,
    as_of: date,
    *,
    scorer: Scorer | None,
    own: pa.Schema,
    portion: Portion,
) -> ir.Table:
    """The scores wherever the rows are."""
    ranked = _with_rank(own)
    if scorer is None:
        by_score = ibis.window(group_by="request_id", order_by=[ibis.desc("base_score"), "product_id"])
        rows = portion.take(engine, lists).mutate(base_rank=ibis.row_number().over(by_score) + 1)
        return rows.select(*ranked.names, score=rows["base_score"])
    joined = join_features(engine, settings, lists, as_of, portion=portion)
    kinds = joined_schema(pa.schema([]))
    takes = pa.schema([*ranked, *(kinds.field(name) for name in scorer.features)])
    rows = joined.mutate(base_rank=joined["context_base_rank"])
    return engine.map_batches(rows, takes, scorer.carrying(ranked), with_score(ranked))


def _scored_here(  # noqa: PLR0913  (as in `scored`)
    engine: DuckEngine,
    settings: Settings,
    lists: ir.Table,
    as_of: date,
    *,
    scorer: Scorer,
    own: pa.Schema,
    then: Callable[[pa.Table], pa.Table],
) -> Iterator[pa.Table]:
    """What is then made of the scores of rows in this process, several times as fast as by a join.

    A thread sees to some buyers from the join to the end, so none waits for another.
    """
    model = _loaded(scorer)
    learned = {column.name: column for column in model.preprocessing.columns}
    kinds = lists.schema().to_pyarrow()
    schema = pa.schema([kinds.field(name) for name in dict.fromkeys([*LIST_COLUMNS, *own.names])])

    def prepare(name: str, values: Matrix) -> Matrix:
        return prepared(values, learned[name])

    gatherer = Gatherer(engine, settings, lists, as_of, model.features, prepare)

    def read(share: Portion) -> pa.Table:
        mine = lists if share.of == 1 else lists.filter(lists[BUYER] % share.of == share.number)
        return engine.batches(mine, schema, [BUYER]).read_all().combine_chunks()

    def score(rows: pa.Table) -> pa.Table:
        joined = gatherer.join(rows)
        score = np.concatenate([model.ranker.score(block) for block in joined.blocks()])
        columns = {**{name: rows[name] for name in own.names}, "base_rank": joined.base_rank, "score": score}
        return then(pa.table(columns, schema=with_score(_with_rank(own))))

    with ThreadPoolExecutor(settings.features.threads, initializer=model.ranker.alone) as pool:
        shares = map(read, portions(engine, lists))
        pieces = (piece for share in shares for piece in _whole_buyers(share))
        yield from _ahead(pool, score, pieces, settings.features.threads)


def _whole_buyers(rows: pa.Table) -> Iterator[pa.Table]:
    """Rows in the order of their buyers, some whole buyers at a time."""
    buyer, first = rows[BUYER].to_numpy(), 0
    while first < len(buyer):
        last = buyer[min(first + AT_ONCE, len(buyer)) - 1]
        after = int(np.searchsorted(buyer, last, side="right"))
        yield rows.slice(first, after - first)
        first = after


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[pa.Table], pa.Table], pieces: Iterable[pa.Table], threads: int
) -> Iterator[pa.Table]:
    """What comes of each piece, in their order; each thread has one, and another is there for who is free first."""
    under_way: deque[Future[pa.Table]] = deque()
    for piece in pieces:
        under_way.append(pool.submit(work, piece))
        if len(under_way) > threads:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _best(rows: pa.Table, most: int) -> pa.Table:
    product, score, buyer = (rows[name].to_numpy() for name in ("product_id", "score", "account_id"))
    buyers, group = np.unique(buyer, return_inverse=True)
    order, rank = best_first(group, score, product), ranks(np.bincount(group, minlength=len(buyers)))
    kept = rows.take(pa.array(order[rank <= most]))
    return kept.append_column("rank", pa.array(rank[rank <= most])).cast(RANKED)
