"""Killed at any step of a batch and cleared, the same is shown, and until then nothing of it."""

from dataclasses import dataclass, field

import pytest

from rankloop.contracts.lake import SCORES
from rankloop.mongo import connect
from rankloop.settings import Settings
from rankloop.state import rankings
from tests.building import lake_of
from tests.features.conftest import DAYS
from tests.killing import Point, forks
from tests.promotion.shop import Shop
from tests.scoring.batches import NOW, SHARDS, Content, content, live, plan, rank, recorded, shown
from tests.scoring.conftest import DAY
from tests.scoring.victims import do, take

pytestmark = pytest.mark.stack

UPDATE, REPLACE = "pymongo.collection:Collection.update_one", "pymongo.collection:Collection.replace_one"
INSERT, INDEX = "pymongo.collection:Collection.insert_many", "pymongo.collection:Collection.create_index"
DROP, FORGET = "pymongo.database:Database.drop_collection", "pymongo.collection:Collection.delete_one"
COMMIT = "rankloop.lake.tables:Lake._commit"
RANKED = 3
"""The shard that the step `rank` is about."""
STEPS = ("plan", "rank", "check", "publish", "archive")
CUTS = [
    ("plan", Point(UPDATE, 1)),
    ("plan", Point(INDEX, 1)),
    ("plan", Point(INDEX, 1, after=True)),
    ("rank", Point(INSERT, 1)),
    ("rank", Point(INSERT, 1, after=True)),
    ("rank", Point(INSERT, 2)),
    ("check", Point(UPDATE, 1)),
    ("check", Point(UPDATE, 1, after=True)),
    ("publish", Point(UPDATE, 1)),
    ("publish", Point(REPLACE, 1)),
    ("publish", Point(REPLACE, 1, after=True)),
    ("archive", Point(COMMIT, 1)),
    ("archive", Point(COMMIT, 1, after=True)),
]
LAST_CUTS = dict(CUTS)
"""Of each step the one that comes last."""


def killed(step: str, settings: Settings, name: str, point: Point) -> None:
    process = forks.Process(target=do, args=(step, settings, DAY, name, point))
    process.start()
    process.join(timeout=120)
    assert process.exitcode == -9


@dataclass
class Undisturbed:
    """What a batch holds if nothing happens on the way, worked out once."""

    content: Content = field(default_factory=dict)
    digest: str = ""


@pytest.fixture(scope="module")
def undisturbed() -> Undisturbed:
    """Empty until the first test has it worked out."""
    return Undisturbed()


def work_out(settings: Settings, name: str, undisturbed: Undisturbed) -> None:
    """All shards are in the batch as they are if nothing happens, and it is known what that is."""
    for shard in SHARDS:
        rank(settings, name, shard)
    undisturbed.content.update(content(settings, name))


def put(settings: Settings, name: str, undisturbed: Undisturbed, *, but: int | None = None) -> None:
    """All shards are in the batch, but this one."""
    with connect(settings.mongo) as client:
        collection = client["rankloop"][rankings.COLLECTION_PREFIX + name]
        collection.delete_many({})
        collection.insert_many([one for one in undisturbed.content.values() if one["baid_group"] != but])


def forget(settings: Settings, name: str) -> None:
    """There is no such batch: nothing of it was ever written."""
    with connect(settings.mongo) as client:
        rankings.remove_batch(client, rankings.batch_by_name(client, name))


def is_live_after(step: str, point: Point) -> bool:
    """Whether the batch is shown once it was killed there."""
    return step == "archive" or (step, point.after) == ("publish", True)


def shown_now(settings: Settings) -> str:
    """The name of the batch that is live."""
    pointer = live(settings)
    assert pointer
    return pointer.batch


def something_shown(settings: Settings) -> str:
    """The name of a batch of the day before, which is live."""
    batch = rankings.Batch("before", DAYS[1], None, "base", NOW)
    with connect(settings.mongo) as client:
        rankings.record_batch(client, batch)
        rankings.publish_batch(client, batch, NOW)
    return batch.name


@pytest.mark.parametrize(("step", "point"), CUTS, ids=str)
def test_a_batch_killed_at_any_step_and_cleared_is_the_same(
    market: Shop, step: str, point: Point, undisturbed: Undisturbed
) -> None:
    settings, before = market.settings, something_shown(market.settings)
    name = plan(settings, DAY)
    if not undisturbed.content:
        work_out(settings, name, undisturbed)
    at = STEPS.index(step)
    if step == "plan":
        forget(settings, name)
    else:
        put(settings, name, undisturbed, but=RANKED if step == "rank" else None)
    for earlier in STEPS[2:at]:
        take(earlier, settings, DAY, name)
    killed(step, settings, name, point)
    assert shown_now(settings) == (name if is_live_after(step, point) else before)
    if step == "plan":
        take(step, settings, DAY, name)
        put(settings, name, undisturbed, but=RANKED)
    # What is cleared, and once more all of it while it is live.
    for again in (*STEPS[at:], *STEPS):
        take(again, settings, DAY, name)
    digest = lake_of(settings).digest(SCORES, DAY)
    undisturbed.digest = undisturbed.digest or digest
    assert (content(settings, name), digest) == (undisturbed.content, undisturbed.digest)
    assert shown_now(settings) == name


def test_a_champions_batch_killed_at_every_step_in_turn_and_cleared_is_the_same(market: Shop) -> None:
    settings, before, champion = market.settings, something_shown(market.settings), market.promoted()
    name = plan(settings, DAY)
    forget(settings, name)
    for step, point in LAST_CUTS.items():
        killed(step, settings, name, point)
        assert shown_now(settings) == (name if is_live_after(step, point) else before)
        take(step, settings, DAY, name)
        if step == "rank":
            rank(settings, name, 0)  # the default ranking; no other shard has buyers
    found, digest = content(settings, name), lake_of(settings).digest(SCORES, DAY)
    assert {one["policy"] for one in found.values()} == {f"version {champion}", "base"}
    with connect(settings.mongo) as client:
        rankings.publish_batch(client, rankings.batch_by_name(client, before), NOW)
    forget(settings, name)
    assert shown(settings, DAY) == name
    assert (content(settings, name), lake_of(settings).digest(SCORES, DAY)) == (found, digest)


@pytest.mark.parametrize("point", [Point(DROP, 1), Point(DROP, 1, after=True), Point(FORGET, 1, after=True)], ids=str)
def test_removing_old_batches_killed_and_done_again_leaves_nothing_behind(market: Shop, point: Point) -> None:
    few = market.settings.scoring.model_copy(update={"keep_batches": 2})
    settings = market.settings.model_copy(update={"scoring": few})
    with connect(settings.mongo) as client:
        for number in range(4):
            batch = rankings.Batch(f"b{number}", DAYS[number], None, "base", NOW.replace(hour=number))
            rankings.record_batch(client, batch)
            rankings.publish_batch(client, batch, NOW)
    killed("old_batches", settings, "", point)
    take("old_batches", settings, DAY, "")
    assert recorded(settings) == ["b3", "b2"]
