"""Tables of scored lists: what they hold, and which are refused."""

import numpy as np
import pyarrow as pa
import pytest

from rankloop.ranking.scored import ScoredListsError, scored_lists
from tests.ranking.judged_lists import scored


def test_lists_lie_one_after_the_other() -> None:
    table = scored(40)
    lists = scored_lists(table)
    assert lists.of_list("request_id").tolist() == list(dict.fromkeys(table["request_id"].to_pylist()))
    assert lists.sizes.sum() == len(table)
    assert lists.sets() == ("train", "valid", "test_0", "test_1", "test_2", "test_3")


def test_sets_are_in_the_order_of_time_however_many_blocks_there_are() -> None:
    table = scored(1).slice(0, 1)
    names = ["test_10", "valid", "test_2", "train", "test_9"]
    one_each = [
        table.set_column(table.column_names.index("set"), "set", pa.array([name])).set_column(
            table.column_names.index("request_id"), "request_id", pa.array([name])
        )
        for name in names
    ]
    lists = scored_lists(pa.concat_tables(one_each))
    assert lists.sets() == ("train", "valid", "test_2", "test_9", "test_10")
    assert lists.tests() == ("test_2", "test_9", "test_10")


def test_some_of_the_lists_are_taken_whole() -> None:
    lists = scored_lists(scored(60))
    some = lists.take(lists.reacted)
    again = scored_lists(some.table)
    assert np.array_equal(again.sizes, some.sizes)
    assert again.reacted.all()
    assert set(some.of_list("request_id")) == set(lists.of_list("request_id")[lists.reacted])


def test_a_list_in_two_pieces_is_refused() -> None:
    table = scored(3)
    torn = pa.concat_tables([table.slice(1), table.slice(0, 1)])
    with pytest.raises(ScoredListsError, match="3 lists lie in 4 pieces"):
        scored_lists(torn)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ScoredListsError, match="lack label, weight"):
        scored_lists(scored(3).drop_columns(["label", "weight"]))
    with pytest.raises(ScoredListsError, match="no column champion_score"):
        scored_lists(scored(3)).score("champion_score")


def test_a_score_that_is_no_number_is_refused() -> None:
    table = scored(3)
    scores = table["pscore"].to_numpy().copy()
    scores[2] = np.nan
    table = table.set_column(table.column_names.index("pscore"), "pscore", pa.array(scores))
    with pytest.raises(ScoredListsError, match=r"pscore of scored lists: 1 of \d+ rows"):
        scored_lists(table).score("pscore")


def test_an_empty_table_has_no_lists() -> None:
    lists = scored_lists(scored(3).slice(0, 0))
    assert (len(lists), lists.sets(), lists.weight.tolist()) == (0, (), [])


def test_words_held_as_codes_are_the_same_words() -> None:
    table = scored(30)
    coded = pa.table({name: table[name].dictionary_encode() for name in table.column_names})
    assert scored_lists(coded).table.equals(scored_lists(table).table)
