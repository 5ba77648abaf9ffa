"""Lists before and after."""

from rankloop.ranking.metrics import list_metrics
from rankloop.ranking.report.examples import find_examples
from rankloop.ranking.scored import TESTS, scored_lists
from tests.ranking.judged_lists import scored

LISTS = scored_lists(scored(300, champion=1.0))
EXAMPLES = find_examples(LISTS)


def test_the_worst_list_is_shown_beside_the_best() -> None:
    tests = LISTS.of_sets(*TESTS)
    tests = tests.take(tests.reacted)
    before, after = (
        list_metrics(tests.score(name), tests.label, tests.sizes)["ndcg@10"] for name in ("champion_score", "pscore")
    )
    change = [round(example.after - example.before, 12) for example in EXAMPLES]
    assert change[0] == round((after - before).max(), 12)
    assert change[2] == round((after - before).min(), 12)
    assert change[2] <= change[1] <= change[0]


def test_every_reaction_of_the_list_is_shown_and_the_first_ten() -> None:
    for example in EXAMPLES:
        rows = LISTS.table.filter(LISTS.table["request_id"].to_numpy(zero_copy_only=False) == example.request_id)
        liked = [product for product, label in zip(*_columns(rows), strict=True) if label]
        assert sorted(place.product_id for place in example.places if place.label) == sorted(liked)
        assert [place.after for place in example.places][: min(10, len(rows))] == list(range(1, min(10, len(rows)) + 1))


def test_without_a_reaction_there_is_nothing_to_show() -> None:
    assert find_examples(LISTS.take(~LISTS.reacted)) == ()


def _columns(rows: object) -> tuple[list[int], list[int]]:
    return rows["product_id"].to_pylist(), rows["label"].to_pylist()  # type: ignore[index]
