"""A list gets here, to the last bit, the score that it gets in evaluation; and what a file's rows are told."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankloop.context import open_context
from rankloop.contracts.lake import EVENT_SCHEMAS, SHOWN
from rankloop.engine.opening import open_engine
from rankloop.features.catalogue import feature_names
from rankloop.ranking.lists import LISTS
from rankloop.ranking.model import load_model
from rankloop.scoring.files import FileScoringResult, ListsFileError, score_file
from rankloop.scoring.scorer import build_scorer, score_lists
from rankloop.settings import Settings
from rankloop.settings.training import TrainingSettings
from rankloop_demo.stack.environment import as_variables
from tests.building import lake_of, prepare_day
from tests.features.conftest import DAYS
from tests.features.joins import store_of
from tests.promotion.shop import Shop
from tests.registry import small_model
from tests.running import rankloop

pytestmark = pytest.mark.stack
SHOWN_ON, AS_OF = DAYS[2], DAYS[1]


def lists(settings: Settings, day: date) -> pa.Table:
    columns = ["request_id", "account_id", "product_id", "base_score", "ts", "surface"]
    return lake_of(settings).read(SHOWN, [day], columns)


@pytest.mark.parametrize("rows", [1, 1 << 16])
def test_a_list_scored_for_a_shelf_has_the_scores_of_evaluation(
    market: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr("rankloop.features.joining.arrays.PIECE_ROWS", rows)
    training = TrainingSettings(idle_share=1.0, label_hours=1)
    settings = market.settings.model_copy(update={"training": training})
    prepare_day(settings, SHOWN_ON)
    learned = lake_of(settings).read(LISTS, [SHOWN_ON])
    columns = {name: learned[name].to_numpy() for name in feature_names()}
    model = load_model(small_model.write(tmp_path / "model", columns=columns))
    assert len(model.features) > 80
    evaluated = dict(zip(keys(learned), model.score(learned).tolist(), strict=True))
    own = pa.schema([("request_id", pa.string()), ("product_id", pa.int64())])
    with open_engine(settings.features) as engine:
        shown = engine.read(lake_of(settings).files(SHOWN, [SHOWN_ON]), EVENT_SCHEMAS[SHOWN])
        told = pa.concat_tables(
            score_lists(engine, store_of(settings), shown, AS_OF, scorer=build_scorer(model, "digest"), own=own)
        )
    assert dict(zip(keys(told), told["score"].to_pylist(), strict=True)) == evaluated
    assert len(set(evaluated.values())) > 50


def scored_file(settings: Settings, source: Path, target: Path, day: date | None = None) -> FileScoringResult:
    with open_context(settings) as context:
        return score_file(context, source, target, day)


def keys(rows: pa.Table) -> list[tuple[str, int]]:
    return list(zip(rows["request_id"].to_pylist(), rows["product_id"].to_pylist(), strict=True))


def test_a_file_is_scored_by_the_champion(market: Shop, tmp_path: Path) -> None:
    champion = market.promoted()
    pq.write_table(lists(market.settings, SHOWN_ON), tmp_path / "lists.parquet")
    outcome = scored_file(market.settings, tmp_path / "lists.parquet", tmp_path / "scored.parquet", AS_OF)
    rows = pq.read_table(tmp_path / "scored.parquet").to_pylist()
    assert (outcome.rows, outcome.policy, outcome.faults) == (len(rows), f"version {champion}", {})
    for request in {row["request_id"] for row in rows}:
        mine = sorted((row for row in rows if row["request_id"] == request), key=lambda row: row["rank"])
        assert [row["rank"] for row in mine] == list(range(1, len(mine) + 1))
        assert [row["score"] for row in mine] == sorted((row["score"] for row in mine), reverse=True)


def test_each_row_that_cannot_be_scored_says_why_and_the_others_are_scored(market: Shop, tmp_path: Path) -> None:
    good = {"request_id": "q1", "account_id": 1, "product_id": 1, "base_score": 0.4, "surface": "home", "mine": "kept"}
    wrong = {
        "request_id is empty": {"request_id": None},
        "account_id is empty": {"account_id": None},
        "base_score is empty": {"base_score": None},
        "base_score is no finite number": {"base_score": float("inf")},
        "surface is none of home, category, search": {"surface": "app"},
        "the product is in this list already": {"product_id": 1},
    }
    rows = [good] + [{**good, "product_id": 2 + number, **other} for number, other in enumerate(wrong.values())]
    rows += [{**good, "product_id": 90, "base_score": 0.9, "surface": None}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "lists.parquet")
    scored_file(market.settings, tmp_path / "lists.parquet", tmp_path / "scored.parquet", AS_OF)
    told = pq.read_table(tmp_path / "scored.parquet").to_pylist()
    assert [row["fault"] for row in told] == [None, *wrong, None]
    assert [row["score"] for row in told] == [0.4, *[None] * len(wrong), 0.9]
    assert [row["rank"] for row in told] == [2, *[None] * len(wrong), 1]
    assert {row["mine"] for row in told} == {"kept"}


def test_a_file_without_what_lists_need_is_refused(market: Shop, tmp_path: Path) -> None:
    pq.write_table(pa.table({"account_id": [1], "score": [0.1]}), tmp_path / "lists.parquet")
    with pytest.raises(ListsFileError, match="lacks the columns request_id, product_id, base_score"):
        scored_file(market.settings, tmp_path / "lists.parquet", tmp_path / "scored.parquet")
    whole = {"request_id": ["q"], "account_id": [1], "product_id": [1], "base_score": [0.1], "score": [1.0]}
    pq.write_table(pa.table(whole), tmp_path / "lists.parquet")
    with pytest.raises(ListsFileError, match="already has columns that scoring adds: score"):
        scored_file(market.settings, tmp_path / "lists.parquet", tmp_path / "scored.parquet")
    with pytest.raises(ListsFileError, match="cannot be read as Parquet"):
        scored_file(market.settings, tmp_path / "nothing.parquet", tmp_path / "scored.parquet")
    assert not (tmp_path / "scored.parquet").exists()


def test_the_command_line_scores_a_file(market: Shop, tmp_path: Path) -> None:
    pq.write_table(lists(market.settings, SHOWN_ON), tmp_path / "lists.parquet")
    command = ("score", "--input", str(tmp_path / "lists.parquet"), "--output", str(tmp_path / "scored.parquet"))
    done = rankloop(*command, "--day", str(AS_OF), environment=as_variables(market.settings))
    assert done.returncode == 0, done.stderr
    count = lists(market.settings, SHOWN_ON).num_rows
    assert f"{count:,} of {count:,} rows scored by base, features as of {AS_OF}" in done.stdout
    assert "there is no champion" in done.stdout
    assert pq.read_metadata(tmp_path / "scored.parquet").num_rows == count
