"""Small training sets made by hand, straight in a lake, with a market's rules that are known."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from rankloop.features.catalogue import feature_names
from rankloop.lake.tables import Lake
from rankloop.ranking.lists import COUNTS, COUNTS_SCHEMA, LISTS, LISTS_SCHEMA
from rankloop.ranking.parts import SEGMENTS
from rankloop.ranking.training_set import TrainingSet, open_training_set
from rankloop.ranking.windows import plan_windows
from rankloop.settings import Settings
from rankloop.settings.training import TrainingSettings
from tests.building import lake_of

AS_OF = date(2026, 11, 3)
SHORT = {"train_days": 3, "valid_days": 1, "test_blocks": 2, "test_block_days": 1, "tune_lists": 40}
FAST = {"fit_params": {"num_boost_round": 20, "early_stopping_rounds": 5}}


def settings_for(folder: Path, **training: Any) -> Settings:  # noqa: ANN401  (any setting)
    """Settings with a home of their own and short windows."""
    return Settings(home=folder, training={**SHORT, "xgboost": FAST, "threads": 1, **training})


def made_set(settings: Settings, lists: int = 30, size: int = 8, **features: Any) -> TrainingSet:  # noqa: ANN401
    """A training set in which `context_base_score` and `category4_share` say what is clicked, with noise.

    `features` gives further features, each from the random stream, the clicks and the row count.
    """
    windows = plan_windows(settings.training, AS_OF)
    for day in windows.days:
        put_day(settings, day, rows(day, lists, size, features))
    return open_training_set(Lake(settings.lake_root), windows)


def put_day(settings: Settings, day: date, table: pa.Table) -> None:
    """Make these the day's lists, with the counts that belong to them."""
    lake = lake_of(settings)
    written = lake.replace_day(LISTS, day, table, LISTS_SCHEMA)
    label = table["label"].to_numpy()
    reacted = len(set(table["request_id"].filter(pa.array(label > 0)).to_pylist()))
    requests = len(set(table["request_id"].to_pylist()))
    count = {"lists": requests, "lists_with_reaction": reacted, "lists_kept": requests, "shown": len(label)}
    reached = {name: int((label >= number).sum()) for number, name in enumerate(("clicked", "carted", "ordered"), 1)}
    note = {**count, **reached, "lists_digest": written.digest, "inputs": "made by hand"}
    columns = {name: [value] for name, value in note.items()}
    lake.replace_day(COUNTS, day, pa.table(columns, schema=COUNTS_SCHEMA.remove(0)), COUNTS_SCHEMA)


def rows(day: date, lists: int, size: int, features: Mapping[str, Any] | None = None) -> pa.Table:
    """A day's rows, list after list."""
    random = np.random.default_rng(day.toordinal())
    count = lists * size
    base, liking = random.random(count), random.random(count)
    wish = 2 * base + 4 * liking + random.gumbel(size=count)
    label = np.where(wish > np.quantile(wish, 0.85), 1 + (random.random(count) < 0.2), 0)
    number = np.repeat(np.arange(lists), size)
    known = {name: np.full(count, np.nan) for name in feature_names()}
    known |= {"context_base_score": base, "category4_share": liking, "product_price": random.random(count) * 1e6}
    known |= {name: make(random, label, count) for name, make in (features or {}).items()}
    columns: dict[str, Any] = {
        "request_id": [f"q{day}-{one:04d}" for one in number],
        "account_id": number,
        "product_id": np.arange(count),
        "ts": pa.array(np.full(count, 1_790_000_000_000_000), pa.int64()).cast(LISTS_SCHEMA.field("ts").type),
        "surface": ["home"] * count,
        "policy": ["base"] * count,
        "position": np.tile(np.arange(1, size + 1), lists),
        "base_score": base,
        "label": label,
        "weight": np.ones(count),
        **{name: ["unknown"] * count for name in SEGMENTS},
    }
    schema = LISTS_SCHEMA.remove(0)
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.array(known[field.name].astype(np.float32), from_pandas=True)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def training(**given: Any) -> TrainingSettings:  # noqa: ANN401  (any setting)
    """Settings of training alone."""
    return TrainingSettings(**given)


def days_before(day: date, count: int) -> list[date]:
    """So many days up to one, oldest first."""
    return [day - timedelta(days=back) for back in reversed(range(count))]
