"""The command line: versions, rollback and the ledger, as the ML lead and on-call read them."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from pymongo import MongoClient

from rankloop.cli.main import main
from rankloop.settings import load_settings
from rankloop.state.ledger import LEDGER
from tests.promotion.shop import Shop

pytestmark = pytest.mark.stack


class Said(NamedTuple):
    """What a command printed, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


Say = Callable[..., Said]


@pytest.fixture
def say(shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """What `rankloop …` answers about this shop."""
    monkeypatch.setenv("RANKLOOP_MONGO_URI", shop.settings.mongo)
    monkeypatch.setenv("RANKLOOP_MLFLOW_URI", shop.settings.mlflow)
    monkeypatch.setenv("COLUMNS", "200")
    load_settings.cache_clear()

    def said(*words: str) -> Said:
        monkeypatch.setattr("sys.argv", ["rankloop", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Said(int(end.value.code or 0), *capsys.readouterr())

    yield said
    load_settings.cache_clear()


def test_versions_their_story_and_the_ledger(shop: Shop, say: Say) -> None:
    first = shop.promoted()
    second = shop.promoted(first)
    listed = say("model", "list").stdout
    assert [line.split()[:2] for line in listed.splitlines()[1:]] == [
        [str(second), "champion"],
        [str(first), "previous"],
    ]
    shown = say("model", "show", str(second)).stdout
    assert f"compared with {first}" in shown
    assert f"version {second} promoted by ml-lead, champion in place of version {first}: it is better" in shown
    told = say("ledger", "show").stdout.splitlines()
    assert [line.split()[0] for line in told] == ["1", "2"]


def test_a_rollback_rehearsed_and_done(shop: Shop, say: Say) -> None:
    first = shop.promoted()
    second = shop.promoted(first)
    rehearsed = say("model", "rollback", "--reason", "orders fall", "--dry-run")
    assert f"version {first} would be champion in place of version {second}. Nothing was changed." in rehearsed.stdout
    assert shop.aliases["champion"] == second
    assert f"Version {first} is champion again" in say("model", "rollback", "--reason", "orders fall").stdout
    assert shop.entries[-1].who.endswith("at the command line")
    refused = say("model", "rollback", "--reason", "orders fall")
    assert (refused.returncode, "there is no champion before" in refused.stderr) == (1, True)


def test_a_ledger_that_was_tampered_with_fails_the_check(shop: Shop, say: Say) -> None:
    shop.promoted()
    assert say("ledger", "verify").returncode == 0
    with MongoClient[dict[str, Any]](shop.settings.mongo) as client:
        client["rankloop"][LEDGER].update_one({"_id": 1}, {"$set": {"who": "admin"}})
    answer = say("ledger", "verify")
    assert (answer.returncode, answer.stdout) == (1, "entry 1 was changed after it was written\n")


def test_before_anything_was_registered_or_decided(say: Say) -> None:
    assert "No version is registered yet" in say("model", "list").stdout
    assert "Nothing was decided yet" in say("ledger", "show").stdout
