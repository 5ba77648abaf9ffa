"""Connections that fail: what time mends is told from what it does not, and no secret reaches a message."""

import pytest

from rankloop.errors import TransientError
from rankloop.mongo import MongoAccessError, MongoUnavailableError, connect


def test_a_database_that_is_down_may_come_back() -> None:
    with pytest.raises(MongoUnavailableError, match=r"mongodb://127\.0\.0\.1:1 does not answer within 0\.2 s"):
        connect("mongodb://127.0.0.1:1", patience_s=0.2)
    assert issubclass(MongoUnavailableError, TransientError)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://127.0.0.1:port",
        "mongodb://127.0.0.1:1/?noSuchOption",
        "mongodb://127.0.0.1:1/?tls=true&tlsCertificateKeyFile=/no/such/file&tlsCertificateKeyFilePassword=hunter2",
    ],
)
def test_an_address_that_cannot_be_used_is_no_matter_of_time(uri: str) -> None:
    with pytest.raises(MongoAccessError, match="cannot be used") as refused:
        connect(uri, patience_s=0.2)
    assert not issubclass(MongoAccessError, TransientError)
    assert "hunter2" not in str(refused.value)


def test_neither_password_nor_options_reach_a_message() -> None:
    with pytest.raises(MongoUnavailableError) as refused:
        connect("mongodb://me:hunter2@127.0.0.1:1/?authMechanismProperties=AWS_SESSION_TOKEN:hunter3", patience_s=0.2)
    assert "hunter" not in str(refused.value)


@pytest.mark.stack
def test_a_database_that_wants_another_password_says_so(mongo: str) -> None:
    with pytest.raises(MongoAccessError, match=r"refused us: .*Check the user, the password") as refused:
        connect(mongo.replace("://", "://nobody:hunter2@"))
    assert "hunter2" not in str(refused.value)
