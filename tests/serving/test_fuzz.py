"""Whatever the app's own schema allows, and what it does not, is asked: it is answered or refused, and never breaks."""

from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from rankloop.lake.tables import Lake
from tests.serving.conftest import DAYS
from tests.serving.shop import Shop, for_anybody, ranking, running

pytestmark = pytest.mark.stack

CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
OPERATIONS = {
    "/v1/recommendations/{account_id}": "GET",
    "/v1/rerank": "POST",
    "/v1/explain/{account_id}/{product_id}": "GET",
    "/alive": "GET",
    "/health": "GET",
}
BUYER = 7
BOUNDED = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def client(shop: Shop) -> Iterator[httpx.Client]:
    """A client of an app that has everything: a champion, a live batch, features."""
    products = Lake(shop.settings.lake_root).read("features/product", [DAYS[-1]])["product_id"].to_pylist()
    version = shop.promote()
    shop.publish("first", [ranking(BUYER, products[:30], version), for_anybody(products[30:60])], version)
    with running(shop.settings) as found:
        yield found


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("path", [path for path in OPERATIONS if path.startswith("/v1")])
def test_nothing_that_is_asked_breaks_it(client: httpx.Client, path: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    operation = schema[path][OPERATIONS[path]]
    statuses: Counter[int] = Counter()
    with requests.Session() as session:
        session.trust_env = False

        @BOUNDED
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            response = case.call(base_url=str(client.base_url), session=session)
            statuses[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        ask()
    assert sum(statuses.values()) >= 20
    # Of two ids by chance, none is a product that the buyer is shown.
    found = 404 if "explain" in path else 200
    assert statuses[found if mode is GenerationMode.POSITIVE else 422], statuses


def test_every_address_of_the_schema_is_asked(client: httpx.Client) -> None:
    assert set(client.get("/openapi.json").json()["paths"]) == set(OPERATIONS)
