"""Days of clean events of any size for the benchmarks: the simulator's catalogue and buyers, lists drawn with NumPy.

A list holds what its buyer often looks at and what is popular, both with heavy tails. The days before the measured one
are there for their `daily/*`: they have all the reactions of their size, but either few products in each of their lists
(quick to make), or the very lists of the measured day (for a peer that reads all events).
"""

# ruff: noqa: PLR2004  (a generator is made of its constants; each stands beside what it shapes)
import os
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from building import aggregate_day, lake_of
from seeded import seed

from rankloop.calendar import start_of
from rankloop.contracts.lake import BUYERS, CLEANED, DAY, EVENT_SCHEMAS, PRODUCTS, REACTIONS, SHOWN
from rankloop.contracts.marketplace import KINDS, TIMESTAMP
from rankloop.lake.day_facts import write_facts
from rankloop.settings import Settings
from rankloop_demo.simulator.catalogue import product_name
from rankloop_demo.simulator.world import FIRST_SHOP_ID, World, make_world

LAST = date(2026, 10, 28)
PER_LIST = 80
PER_SCALE = 360_000
"""Products shown on a day of the simulator's marketplace of scale 1."""
LOOKS_PER_SHOWN = 0.0115
APPEAL = np.array([0.2, 9.0, 5.0, 3.0, 2.0, 1.2, 0.8])
"""How readily a product gets a look: of no favourite leaf of the buyer, of the dearest, the second, and so on. With
this, buyers spread over categories, shops, products and words in 7 and in 28 days about as they do in the simulator."""


class Crowd(NamedTuple):
    """A world and how often each of its buyers comes."""

    world: World
    share: np.ndarray
    names: pa.Array


def crowd(shown: int) -> Crowd:
    """A marketplace that shows about so many products a day."""
    world = make_world(seed(), shown / PER_SCALE, LAST - timedelta(days=60))
    total = np.cumsum(world.buyers.activity)
    names = pa.array([product_name(world, product) for product in range(len(world.products.id))])
    return Crowd(world, total / total[-1], names)


def make_lake(settings: Settings, shown: int, days: int, *, whole: bool) -> None:
    """Events of the last day, and events and `daily/*` of the days before it, with whole lists or short ones."""
    people, lake = crowd(shown), lake_of(settings)
    put_day(settings, people, LAST, LAST if whole else None, (shown // PER_LIST, PER_LIST))
    for back in range(1, days):
        day = LAST - timedelta(days=back)
        if whole:
            landing = Path(lake.landing(SHOWN, day))
            landing.mkdir(parents=True)
            for file in lake.files(SHOWN, [LAST]):
                os.link(file, landing / Path(file).name)
            lake.adopt(SHOWN, day, str(landing), EVENT_SCHEMAS[SHOWN])
        put_day(settings, people, day, LAST if whole else None, (shown // PER_LIST, PER_LIST if whole else 4))
        aggregate_day(settings, day)


def put_day(settings: Settings, people: Crowd, day: date, lists_of: date | None, size: tuple[int, int]) -> None:
    """One day's events: so many lists of so many products, its own or those of another day."""
    lists, per_list = size
    random = np.random.default_rng([seed(), (lists_of or day).toordinal()])
    start = int(start_of(day, settings.zone).timestamp() * 1000)
    buyer = np.sort(np.searchsorted(people.share, random.random(lists)))
    row = np.repeat(np.arange(lists), per_list)
    product, appeal = _drawn(people.world, buyer[row], random)
    request = np.array([f"q{lists_of or day:%Y%m%d}-{number:07d}" for number in range(lists)])
    at = start + random.integers(0, 86_000_000, lists)
    tables = {}
    if lists_of in {None, day}:
        tables[SHOWN] = _shown(people, (buyer, row, product, request, at), per_list, random)
    random = np.random.default_rng([seed(), day.toordinal()])
    total = np.cumsum(appeal)
    looked = np.sort(np.searchsorted(total, random.random(round(lists * PER_LIST * LOOKS_PER_SHOWN)) * total[-1]))
    tables[REACTIONS] = _reactions(people, (buyer[row[looked]], product[looked], request[row[looked]]), start, random)
    tables[PRODUCTS], tables[BUYERS] = _catalogue(people, start), _accounts(people, start)
    for table, columns in tables.items():
        lake_of(settings).replace_day(table, day, _table(table, columns), EVENT_SCHEMAS[table])
    write_facts(lake_of(settings), CLEANED, day, {})


def _table(name: str, columns: dict[str, object]) -> pa.Table:
    """The columns of a table of the lake; those not given are empty."""
    count = len(next(iter(columns.values())))
    fields = [field for field in EVENT_SCHEMAS[name] if field.name != DAY]
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in fields
    ]
    return pa.table(arrays, schema=pa.schema(fields))


def _drawn(world: World, buyer: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A product a row and its appeal: half of favourite leaves, half of any; the first of a leaf much more often."""
    favourite = random.integers(0, 6, len(buyer))
    anywhere = random.random(len(buyer)) < 0.5
    leaf = np.where(anywhere, random.integers(0, world.words.leaves, len(buyer)), world.buyers.leaves[buyer, favourite])
    first, size = world.products.leaf_start[leaf], np.diff(world.products.leaf_start)[leaf]
    place = (random.random(len(buyer)) ** 2.5 * size).astype(np.int64)
    return np.minimum(first + place, len(world.products.id) - 1), APPEAL[np.where(anywhere, 0, favourite + 1)]


def _shown(
    people: Crowd, lists: tuple[np.ndarray, ...], per_list: int, random: np.random.Generator
) -> dict[str, object]:
    buyer, row, product, request, at = lists
    return {
        "request_id": pa.DictionaryArray.from_arrays(row, request).cast(pa.string()),
        "account_id": people.world.buyers.id[buyer[row]],
        "ts": pa.array(at[row], pa.int64()).cast(TIMESTAMP),
        "surface": pa.DictionaryArray.from_arrays(row % 3, ["home", "category", "search"]).cast(pa.string()),
        "policy": pa.DictionaryArray.from_arrays(np.zeros(len(row), np.int32), ["base"]).cast(pa.string()),
        "product_id": people.world.products.id[product],
        "position": np.tile(np.arange(1, per_list + 1), len(buyer)),
        "base_score": np.round(random.random(len(row)), 6),
    }


def _reactions(
    people: Crowd, found: tuple[np.ndarray, ...], start: int, random: np.random.Generator
) -> dict[str, object]:
    """Looks at products, and for some of them a like, a cart and an order of the same."""
    count = len(found[0])
    chance = random.random(count)
    kinds = [np.where(chance < 0.27, 0, 1), *(np.full(count, kind) for kind in (2, 3, 4))]
    happens = np.concatenate([np.ones(count, bool), *(random.random(count) < p for p in (0.03, 0.19, 0.1))])
    kind = np.concatenate(kinds)[happens]
    buyer, product, request = (np.tile(column, 4)[happens] for column in found)
    goods = people.world.products
    return {
        "interaction_id": [f"i{number}" for number in range(len(buyer))],
        "account_id": people.world.buyers.id[buyer],
        "ts": pa.array(start + random.integers(0, 86_000_000, len(buyer)), pa.int64()).cast(TIMESTAMP),
        "kind": np.array(KINDS)[kind],
        "product_id": goods.id[product],
        "shop_id": FIRST_SHOP_ID + goods.shop[product],
        "request_id": pa.array(request, mask=kind == 0),
        "price": np.minimum(goods.price[product], 1e12).astype(np.int64),
        "quantity": (kind >= 3).astype(np.int32),
    }


def _catalogue(people: Crowd, start: int) -> dict[str, object]:
    goods = people.world.products
    count = len(goods.id)
    price = np.minimum(goods.price, 1e12).astype(np.int64)
    paths = pa.array(people.world.words.path)
    return {
        "product_id": goods.id,
        "name": people.names,
        "category_path": paths.take(pa.array(goods.leaf)),
        "shop_id": FIRST_SHOP_ID + goods.shop,
        "original_price": price,
        "final_price": price - price * (np.arange(count) % 4) // 10,
        "is_free_ship": np.arange(count) % 3 == 0,
        "created_at": pa.array(start - np.arange(count) % 500 * 86_400_000, pa.int64()).cast(TIMESTAMP),
        "status": pa.array(["active"] * count),
    }


def _accounts(people: Crowd, start: int) -> dict[str, object]:
    account = people.world.buyers.id
    numbers = np.arange(len(account))
    return {
        "account_id": account,
        "gender": (numbers % 2).astype(float),
        "address_city_id": numbers**2 % 63,
        "total_order": (numbers % 30).astype(float),
        "total_order_cancel": (numbers % 30 // 10).astype(float),
        "total_order_complete": (numbers % 30 - numbers % 30 // 10).astype(float),
        "total_rating": (numbers % 5).astype(float),
        "email_verified": (numbers % 3 == 0).astype(float),
        "is_otp_phone": (numbers % 4 == 0).astype(float),
        "latest_order_at": pa.array(start - numbers % 90 * 86_400_000, pa.int64()).cast(TIMESTAMP),
        "created_at": pa.array(start - numbers % 900 * 86_400_000, pa.int64()).cast(TIMESTAMP),
        # Every fourth was changed between the end of the day and the snapshot.
        "updated_at": pa.array(start + (numbers % 4 - 2) * 86_400_000, pa.int64()).cast(TIMESTAMP),
        "baid_group": (account % 10).astype(np.int32),
    }


def settings_in(home: Path, **features: object) -> Settings:
    """Settings with a home of their own."""
    return Settings(home=home, features=features)
