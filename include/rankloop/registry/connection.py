"""Connections to MLflow, and its errors in our words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from requests.exceptions import HTTPError, RequestException

from rankloop.errors import RankloopError, TransientError

# Unless the caller wants it, MLflow keeps its progress bars and links out of the log of a task.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

PATIENCE_S = 5.0
TIME_MENDS = frozenset(
    {
        "ABORTED",
        "DEADLINE_EXCEEDED",
        "INTERNAL_ERROR",  # also what MLflow's client says of any connection that failed
        "REQUEST_LIMIT_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "TEMPORARILY_UNAVAILABLE",
    }
)
NOT_LET_IN = frozenset({"CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED", "UNAUTHENTICATED"})
NO_ANSWER = 500
"""The first status of HTTP by which a server says that it cannot answer now."""


class RegistryDownError(TransientError):
    """MLflow does not answer."""


class RegistryError(RankloopError):
    """MLflow refuses, or does not have what was asked for: trying again would say the same."""


class Registry:
    """The MLflow at an address; its client is made, and the server asked whether it answers, at the first use."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    @cached_property
    def client(self) -> MlflowClient:
        """A client of a server that has answered once."""
        return connect(self.uri)


def connect(uri: str) -> MlflowClient:
    """Return a client of the MLflow at this address, which has answered once."""
    try:
        # MLflow's own requests are patient for minutes; whether anybody is there at all is known sooner.
        answer = http_request(get_default_host_creds(uri), "/health", "GET", max_retries=0, timeout=PATIENCE_S)
    except (MlflowException, RequestException) as error:
        raise _down(uri, "asking whether it runs", error) from None
    if answer is None or answer.status_code >= NO_ANSWER:
        raise _down(uri, "asking whether it runs", answer and answer.reason)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def speaking_to(uri: str, doing: str) -> Iterator[None]:
    """Translate the errors of MLflow into ours; `doing` says what was being done, as in "reading run 7"."""
    try:
        yield
    except MlflowException as error:
        if error.error_code in TIME_MENDS:
            raise _down(uri, doing, error) from error
        raise _refused(uri, doing, error, let_in=error.error_code not in NOT_LET_IN) from error
    except HTTPError as error:  # artifacts are plain HTTP
        status = NO_ANSWER if error.response is None else error.response.status_code
        if status >= NO_ANSWER:
            raise _down(uri, doing, error) from error
        raise _refused(uri, doing, error, let_in=status not in {401, 403}) from error
    except RequestException as error:
        raise _down(uri, doing, error) from error


def _down(uri: str, doing: str, reason: object) -> RegistryDownError:
    return RegistryDownError(
        f"MLflow at {uri} does not answer, while {doing}: {_short(reason)}. The embedded one is started by "
        "`make start`, while RANKLOOP_MLFLOW_URI is not set; an MLflow of your own has to run and be reachable from "
        "here. What was written is kept: once it answers, run the same again."
    )


def _refused(uri: str, doing: str, reason: object, *, let_in: bool) -> RegistryError:
    way_out = (
        "Look at what is there in its UI."
        if let_in
        else "Check MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_TOKEN, and the user's rights."
    )
    return RegistryError(f"MLflow at {uri} refused, while {doing}: {_short(reason)}. {way_out}")


def _short(reason: object) -> str:
    """Return the first line of a reason, shortened: MLflow adds whole tracebacks of its server."""
    return str(reason).partition("\n")[0].rstrip(". ")[:300]
