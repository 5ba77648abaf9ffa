"""The training set: its days, its versions, and what it amounts to."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from rankloop.errors import RankloopError
from rankloop.lake.tables import Lake
from rankloop.ranking.lists import COUNTS, LISTS
from rankloop.ranking.training_set import open_training_set, sizes_of, whole_lists
from rankloop.ranking.windows import DaysMissingError, plan_windows
from tests.building import lake_of
from tests.ranking.made import AS_OF, made_set, put_day, rows, settings_for

SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=12)


@given(SIZES, st.integers(1, 7))
def test_batches_cut_anew_hold_whole_lists_and_every_row_once(sizes: list[int], at_a_time: int) -> None:
    names = [f"q{number}" for number, size in enumerate(sizes) for _ in range(size)]
    table = pa.table({"request_id": names, "row": range(len(names))})
    made = list(whole_lists(iter(table.to_batches(max_chunksize=at_a_time))))
    assert [row for batch in made for row in batch["row"].to_pylist()] == list(range(len(names)))
    assert [size for batch in made for size in sizes_of(batch["request_id"]).tolist()] == sizes


def test_the_same_days_have_the_same_digest_and_one_changed_row_another(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    before = made_set(settings)
    assert made_set(settings).digest == before.digest
    day = before.windows.train[0]
    put_day(settings, day, rows(day, 31, 8))
    after = open_training_set(Lake(settings.lake_root), before.windows)
    assert after.digest != before.digest


def test_a_run_can_be_repeated_from_the_versions_it_noted(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    before = made_set(settings)
    day = before.windows.train[0]
    label = [batch["label"].to_pylist() for _, batch in before.batches("train", ["label"])]
    put_day(settings, day, rows(day, 31, 8))
    again = open_training_set(Lake(settings.lake_root), before.windows, before.versions, before.digest)
    assert [batch["label"].to_pylist() for _, batch in again.batches("train", ["label"])] == label
    with pytest.raises(RankloopError, match=f"the run noted {before.digest}"):
        open_training_set(Lake(settings.lake_root), before.windows, digest=before.digest)


def test_days_that_are_not_prepared_are_named(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    windows = made_set(settings).windows
    later = plan_windows(settings.training, AS_OF.replace(day=5))
    with pytest.raises(DaysMissingError, match=r"lacks 2026-11-03, 2026-11-04"):
        open_training_set(Lake(settings.lake_root), later)
    assert windows.days[-1] == AS_OF.replace(day=2)


def test_counts_and_rows_are_those_of_the_sets_days(tmp_path: Path) -> None:
    data = made_set(settings_for(tmp_path), lists=10, size=4)
    assert (data.counts("train")["lists"], data.counts("valid")["lists"]) == (30, 10)
    assert sum(batch.num_rows for _, batch in data.batches("test_1")) == 40


def test_columns_come_whole_with_empty_values_as_no_number(tmp_path: Path) -> None:
    data = made_set(settings_for(tmp_path), lists=10, size=4)
    columns = dict(data.columns("train", ["category4_share", "word_hits"]))
    assert np.isnan(columns["word_hits"]).all()
    assert columns["category4_share"].shape == (120,)


def test_what_a_run_records_names_versions_days_and_digests(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    data = made_set(settings)
    summary = data.summary()
    assert summary["versions"] == {table: lake_of(settings).version(table) for table in (LISTS, COUNTS)}
    assert summary["digest"] == data.digest
    assert len(summary["days"]) == 6
