"""Small markets of scored lists, in which what each ranking knows is set by the test."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa

FIRST = date(2026, 11, 1)
SETS = {"train": 10, "valid": 2, "test_0": 2, "test_1": 2, "test_2": 2, "test_3": 2}


def scored(
    lists: int = 300, *, base: float = 0.5, ours: float = 2.0, champion: float | None = None, seed: int = 1
) -> pa.Table:
    """Lists of 5 to 40 products whose rankings know this much of what the buyer wants, beside noise of 1."""
    random = np.random.default_rng(seed)
    sizes = random.integers(5, 41, lists)
    rows, number = int(sizes.sum()), np.repeat(np.arange(lists), sizes)
    days = np.repeat(np.sort(random.integers(0, 20, lists)), sizes)
    wish = random.normal(size=rows)
    label = _labels(random, wish)
    reacted = np.bincount(number, label > 0, lists)[number] > 0
    product = random.integers(0, 500, rows)
    names = np.repeat(list(SETS), list(SETS.values()))
    table = {
        "set": names[days],
        "dt": pa.array([FIRST + timedelta(int(day)) for day in days]),
        "request_id": [f"r{one:06}" for one in number],
        "account_id": pa.array(random.integers(0, max(1, lists // 4), lists)[number]),
        "product_id": pa.array(product),
        "position": pa.array(np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1),
        "label": pa.array(label, pa.int8()),
        "weight": np.where(reacted, 1.0, 5.0),
        "base_score": base * wish + random.normal(size=rows),
        "pscore": ours * wish + random.normal(size=rows),
        "segment_buyer": np.where(random.random(lists) < 0.2, "new", "regular")[number],
        "segment_city": random.choice(["1", "2", "3"], lists)[number],
        "segment_product": np.where(product < 100, "cold", "warm"),
        "segment_category": np.array([f"1/{group}" for group in product % 5]),
        "segment_price": np.array([str(1 + group) for group in product % 4]),
    }
    if champion is not None:
        table["champion_score"] = champion * wish + random.normal(size=rows)
    return pa.table(table)


def _labels(random: np.random.Generator, wish: np.ndarray) -> np.ndarray:
    chance = 1 / (1 + np.exp(3.5 - 1.5 * wish))
    clicked = random.random(len(wish)) < chance
    return np.where(clicked, random.choice([1, 2, 3], len(wish), p=[0.8, 0.12, 0.08]), 0)
