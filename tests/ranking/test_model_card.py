"""The model card."""

from dataclasses import replace

from rankloop.ranking.model_card import model_card
from tests.ranking.trainings import training

FACTS = training()


def test_the_card_has_every_part_that_a_reader_looks_for() -> None:
    card = model_card(FACTS)
    for part in ("Intended use", "Made from", "Features", "How good it is", "Segments", "The gate", "Limits"):
        assert f"\n## {part}\n" in card
    assert FACTS.gate.verdict in card
    assert FACTS.evaluation.markdown().rstrip() in card
    assert "training/lists` v42" in card
    assert "cold products" in card


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    for block in model_card(FACTS).split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1


def test_a_card_of_what_little_is_known_is_still_a_card() -> None:
    bare = replace(
        FACTS, importance={}, reliability=None, days=(), features=(), parameters={}, table_versions={}, run=""
    )
    assert "are no probabilities" in model_card(bare)
