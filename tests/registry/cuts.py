"""Ends what is being done right before or after a call to MLflow, as a kill would."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from unittest.mock import patch

import pytest


class Killed(BaseException):
    """Caught by nothing that cleans up after errors."""


@contextmanager
def cut(owner: type, method: str, when: Literal["before", "after"]) -> Iterator[None]:
    """Within it, the first call of the method is the last thing that is done."""
    original = getattr(owner, method)

    def last_call(self: object, *arguments: Any, **more: Any) -> None:  # noqa: ANN401  (whatever it takes)
        if when == "after":
            original(self, *arguments, **more)
        raise Killed

    with patch.object(owner, method, last_call), pytest.raises(Killed):
        yield
