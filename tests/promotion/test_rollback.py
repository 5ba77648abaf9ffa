"""Back to a former champion: which one, and which never."""

import pytest

from rankloop.promotion.rollback import RollbackRefusedError
from rankloop.promotion.verification import UnusableModelError
from rankloop.registry.versions import MODEL
from tests.promotion.shop import Shop

pytestmark = pytest.mark.stack


@pytest.fixture
def line(shop: Shop) -> tuple[int, int, int]:
    """Three champions, one after the other."""
    first = shop.promoted()
    second = shop.promoted(first)
    return first, second, shop.promoted(second)


def test_by_default_the_champion_before_this_one_is_champion_again(shop: Shop, line: tuple[int, int, int]) -> None:
    first, second, third = line
    done = shop.roll_back()
    assert done.sentence == f"Version {second} is champion again, in place of version {third}."
    assert shop.aliases == {"champion": second, "previous": first}
    assert shop.lives == {first: "Archived", second: "Production", third: "Archived"}
    entry = shop.entries[-1]
    assert (entry.decision, entry.who, entry.reason, entry.before, entry.after) == (
        *("rolled back", "oncall", "orders fall"),
        *(third, second),
    )
    assert shop.alerts[f"rolled_back:version {third}"] == "open"


def test_twice_goes_further_back_and_not_to_where_one_was(shop: Shop, line: tuple[int, int, int]) -> None:
    shop.roll_back()
    assert shop.roll_back(key="again").after == line[0]
    with pytest.raises(RollbackRefusedError, match="there is no champion before version"):
        shop.roll_back(key="once more")


def test_a_named_version_that_was_champion(shop: Shop, line: tuple[int, int, int]) -> None:
    assert shop.roll_back(version=line[0]).after == line[0]
    assert shop.aliases == {"champion": line[0]}


def test_one_may_come_back_to_what_was_rolled_back(shop: Shop, line: tuple[int, int, int]) -> None:
    shop.roll_back()
    assert shop.roll_back(version=line[2], key="it was not the model").after == line[2]
    assert shop.aliases == {"champion": line[2], "previous": line[1]}


def test_done_again_under_the_same_key_it_is_the_same_rollback(shop: Shop, line: tuple[int, int, int]) -> None:
    assert shop.roll_back() == shop.roll_back()
    assert [entry.decision for entry in shop.entries] == ["promoted"] * 3 + ["rolled back"]
    assert shop.aliases["champion"] == line[1]


def test_a_dry_run_says_what_would_be_and_changes_nothing(shop: Shop, line: tuple[int, int, int]) -> None:
    before = (shop.aliases, shop.lives, shop.entries)
    said = shop.roll_back(dry_run=True).sentence
    assert said == f"version {line[1]} would be champion in place of version {line[2]}. Nothing was changed."
    assert (shop.aliases, shop.lives, shop.entries) == before


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_never_was_champion_is_refused(dry_run: bool, shop: Shop, line: tuple[int, int, int]) -> None:  # noqa: FBT001
    never = shop.register(line[2])
    with pytest.raises(RollbackRefusedError, match=f"version {never} never was champion"):
        shop.roll_back(version=never, dry_run=dry_run)
    assert shop.aliases["champion"] == line[2]


def test_the_champion_itself_is_refused(shop: Shop, line: tuple[int, int, int]) -> None:
    with pytest.raises(RollbackRefusedError, match="is the champion already"):
        shop.roll_back(version=line[2])


def test_no_reason_is_refused(shop: Shop) -> None:
    with pytest.raises(RollbackRefusedError, match="needs a reason"):
        shop.roll_back(reason=" ")


def test_a_model_that_was_changed_is_refused(shop: Shop, line: tuple[int, int, int]) -> None:
    shop.mlflow.set_model_version_tag(MODEL, str(line[1]), "digest", "0" * 64)
    with pytest.raises(UnusableModelError, match=f"the model of version {line[1]} cannot be used"):
        shop.roll_back()
    assert shop.aliases["champion"] == line[2]
