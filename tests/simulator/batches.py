"""Rankings made by hand, and batches of them made live in a real MongoDB."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

import numpy as np

from rankloop.mongo import STATE_DB, connect
from rankloop.state.rankings import Batch, Ranking, publish_batch, record_batch
from rankloop_demo.simulator.lists import HOME, Lists
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.simulator.taste import utility
from rankloop_demo.simulator.vocabulary import Ints

NOW = datetime(2026, 10, 2, 1, tzinfo=UTC)
TOP = 100


def oracle(place: Marketplace, day: date, policy: str = "version 1", sign: int = 1) -> list[Ranking]:
    """What each buyer likes best of what is sold on a day, by the hidden taste; least, by its opposite."""
    world, market = place.world, place.market(day)
    products = np.flatnonzero(market.on_sale)
    buyers = np.arange(len(world.buyers.id))
    shape = (len(buyers), len(products))
    nothing = np.full(len(buyers), -1)
    lists = Lists(
        buyers, nothing, np.full(len(buyers), HOME), nothing, np.broadcast_to(products, shape), nothing, nothing
    )
    best = np.argsort(-sign * utility(world, market, lists), axis=1, kind="stable")[:, :TOP]
    return [ranking_of(place, buyer, products[row], policy) for buyer, row in zip(buyers, best, strict=True)]


def ranking_of(place: Marketplace, buyer: int, products: Ints, policy: str) -> Ranking:
    """A buyer's ranking; buyer and products by their rows in the world."""
    count = len(products)
    scores = tuple(np.linspace(0.9, 0.1, count).round(6).tolist())
    return Ranking(
        int(place.world.buyers.id[buyer]),
        policy,
        tuple(place.world.products.id[products].tolist()),
        scores,
        scores[::-1],
        tuple(range(count, 0, -1)),
        ("base",) * count,
    )


def publish(uri: str, name: str, day: date, rankings: Iterable[Ranking]) -> None:
    """Make a batch of these rankings live."""
    batch = Batch(name, day, 1, "version 1", NOW)
    documents = [
        {"_id": one.account_id, "baid_group": one.account_id % 10, **{name: getattr(one, name) for name in FIELDS}}
        for one in rankings
    ]
    with connect(uri) as client:
        record_batch(client, batch)
        client[STATE_DB][batch.collection].insert_many(documents)
        publish_batch(client, batch, NOW)


FIELDS = ("policy", "products", "scores", "base_scores", "base_ranks", "sources")
