"""Scores candidates and keeps the best of each buyer: one way for a whole day, for one list, and for a file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.features.engine import Engine, Work
from rankloop.features.join import EVERYBODY, Portion, join_features, joined_schema
from rankloop.ranking.model import Model, load_model
from rankloop.settings import Settings

OWN = pa.schema(
    {
        "account_id": pa.int64(),
        "product_id": pa.int64(),
        "base_score": pa.float64(),
        "sources": pa.int64(),
    }
)
RANKED = pa.schema([*OWN, ("base_rank", pa.int64()), ("score", pa.float64()), ("rank", pa.int64())])


@dataclass(frozen=True)
class Scorer:
    """A model that travels: its files go to wherever rows are, and are read once in each process."""

    digest: str
    features: tuple[str, ...]
    files: Mapping[str, bytes] = field(compare=False, hash=False, repr=False)

    def carrying(self, own: pa.Schema) -> Work:
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


def scored(  # noqa: PLR0913  (as in `join_features`)
    engine: Engine,
    settings: Settings,
    lists: ir.Table,
    as_of: date,
    *,
    scorer: Scorer | None,
    own: pa.Schema,
    portion: Portion = EVERYBODY,
) -> ir.Table:
    """The score of each row of lists, with its own columns and `base_rank`; without a scorer it is `base_score`."""
    ranked = own.append(pa.field("base_rank", pa.int64()))
    if scorer is None:
        by_score = ibis.window(group_by="request_id", order_by=[ibis.desc("base_score"), "product_id"])
        rows = portion.take(engine, lists).mutate(base_rank=ibis.row_number().over(by_score) + 1)
        return rows.select(*ranked.names, score=rows["base_score"])
    joined = join_features(engine, settings, lists, as_of, portion=portion)
    kinds = joined_schema(pa.schema([]))
    takes = pa.schema([*ranked, *(kinds.field(name) for name in scorer.features)])
    rows = joined.mutate(base_rank=joined["context_base_rank"])
    return engine.through(rows, takes, scorer.carrying(ranked), with_score(ranked))


def ranked(  # noqa: PLR0913  (as in `join_features`)
    engine: Engine,
    settings: Settings,
    lists: ir.Table,
    as_of: date,
    *,
    scorer: Scorer | None,
    portion: Portion = EVERYBODY,
) -> pa.Table:
    """The best products of these buyers, those of a buyer together, best first."""
    rows = scored(engine, settings, lists, as_of, scorer=scorer, own=OWN, portion=portion)
    best = ibis.window(group_by="account_id", order_by=[ibis.desc("score"), "product_id"])
    placed = rows.mutate(rank=ibis.row_number().over(best) + 1)
    kept = engine.batches(placed.filter(placed["rank"] <= settings.scoring.top_n), RANKED).read_all()
    return kept.sort_by([("account_id", "ascending"), ("rank", "ascending")])
