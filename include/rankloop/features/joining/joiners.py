"""Chooses the joiner that suits an engine."""

from collections.abc import Collection
from datetime import date

import ibis.expr.types as ir

from rankloop.engine.protocol import Engine
from rankloop.features.joining.arrays import ArrayJoiner
from rankloop.features.joining.protocol import ALL_BUYERS, BuyerShard, Joiner
from rankloop.features.joining.sets import SetJoiner
from rankloop.features.joining.store import FeatureStore


def joiner_for(  # noqa: PLR0913  (what is joined, with what, and how much of it)
    engine: Engine,
    store: FeatureStore,
    lists: ir.Table,
    as_of: date,
    *,
    shard: BuyerShard = ALL_BUYERS,
    next_day: Collection[str] = (),
) -> Joiner:
    """Return what joins these lists with the features as of a day in the least time.

    `shard` takes the lists of some buyers alone. The features in `next_day` are those as of the day after, where the
    day itself knows them.
    """
    joiner = ArrayJoiner if engine.in_process else SetJoiner
    return joiner(engine, store, lists, as_of, shard=shard, next_day=next_day)
