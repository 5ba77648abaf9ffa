"""A task that is killed, wherever it stands, and done again leaves what one leaves that was never killed."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from bson import Int64

from rankloop.contracts.lake import EVENTS
from rankloop.contracts.marketplace import BUYERS, IMPRESSIONS, INTERACTIONS, PRODUCTS
from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from tests.events.shop import DAY, Shop, a_buyer, a_list, a_product, a_reaction, arriving, at
from tests.events.victims import make_day
from tests.killing import Point, forks

pytestmark = pytest.mark.stack

COMMIT, STREAM = "rankloop.lake.tables:Lake._commit", "rankloop.lake.tables:write_partition_file"
QUARANTINE = "rankloop.events.cleaning:replace_quarantine"
BULK = "pymongo.collection:Collection.bulk_write"
POINTS = [
    *(Point(COMMIT, call, after) for call in (1, 6, 9) for after in (False, True)),
    *(Point(STREAM, call, after=True) for call in (2, 8)),
    *(Point(QUARANTINE, call, after) for call in (1, 2) for after in (False, True)),
    *(Point(BULK, call, after) for call in (1, 2, 3) for after in (False, True)),
    Point("rankloop.events.extraction:save_extraction_summary", 2),
    Point("rankloop.events.cleaning:save_day_summary", 1),
]


@pytest.fixture
def dirty(mongo: str, tmp_path: Path) -> Iterator[Shop]:
    """A day with something to reject, of which an earlier state was cleaned already."""
    client = connect(mongo)
    shop = Shop(client, tmp_path)
    shop.add(PRODUCTS, a_product(4, final_price=Int64(0)))
    shop.add(BUYERS, a_buyer(13, baid_group=13))
    shop.add(INTERACTIONS, *(a_reaction(f"x{number}", at(12), price=Int64(0)) for number in range(9)))
    shop.clean()
    interactions = client["marketplace"]["interactions"]
    interactions.update_one({"interaction_id": "x1"}, {"$set": {"price": Int64(4)}})
    interactions.update_one({"interaction_id": "x2"}, {"$unset": {"price": 1}})
    shop.add(INTERACTIONS, a_reaction("i1", at(12)), a_reaction("i7", at(13)))
    shop.add(IMPRESSIONS, a_list("q8", at(12), (1, 9, 3)), a_list("q2", at(12), _id=arriving(at(22))))
    yield shop
    client.close()


def left(shop: Shop) -> tuple[Any, ...]:
    lake = shop.ingestion.lake
    return {table: (lake.digest(table, DAY), lake.rows(table)[DAY]) for table in EVENTS}, shop.rejected()


def killed(shop: Shop, point: Point | None, after_s: float = 120) -> int | None:
    """Make the day in a process that dies at the point, or after so many seconds; its exit code."""
    host, port = shop.client.address or ("", 0)
    victim = forks.Process(target=make_day, args=(f"mongodb://{host}:{port}", shop.ingestion.lake.root, point))
    victim.start()
    victim.join(timeout=after_s)
    victim.kill()
    victim.join(timeout=20)
    return victim.exitcode


def undisturbed(shop: Shop) -> tuple[Any, ...]:
    """What the day leaves if nothing happens to it; the shop is as before."""
    quarantine = shop.client["rankloop"]["quarantine"]
    before, lake = list(quarantine.find()), shop.ingestion.lake
    shop.ingestion = replace(shop.ingestion, lake=Lake(shutil.copytree(lake.root, f"{lake.root}-undisturbed")))
    shop.clean()
    found = left(shop)
    shop.ingestion = replace(shop.ingestion, lake=lake)
    quarantine.delete_many({})
    quarantine.insert_many(before)
    return found


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.function.rpartition(':')[2]}-{point.call}")
def test_a_day_killed_at_a_point_and_made_again_is_the_same(dirty: Shop, point: Point) -> None:
    expected = undisturbed(dirty)
    assert left(dirty) != expected
    assert killed(dirty, point) == -9
    dirty.clean()
    assert left(dirty) == expected


def test_a_day_killed_at_random_and_made_again_is_the_same(dirty: Shop) -> None:
    expected, draw = undisturbed(dirty), random.Random(20261103)  # noqa: S311  (no secret)
    started = monotonic()
    assert killed(dirty, None) == 0
    whole = monotonic() - started
    for _ in range(6):
        killed(dirty, None, after_s=whole * draw.uniform(0.4, 1))
    assert killed(dirty, None) == 0
    assert left(dirty) == expected
