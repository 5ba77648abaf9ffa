"""Whatever the app's own schema allows, and what it does not, is asked: it is answered or refused, and never breaks."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from rankloop.features.families import buyer, product
from rankloop.lake.tables import Lake
from tests.serving.conftest import DAYS
from tests.serving.shop import Shop, for_anybody, ranking, running

pytestmark = pytest.mark.stack

AS_THE_SCHEMA_SAYS = [status_code_conformance, response_schema_conformance]
CHECKS = [not_a_server_error, *AS_THE_SCHEMA_SAYS]
EXPLAIN = "/v1/explain/{account_id}/{product_id}"
OPERATIONS = {"/v1/recommendations/{account_id}": "GET", "/v1/rerank": "POST", EXPLAIN: "GET"}
TAKE_NOTHING = {"/alive": CHECKS, "/health": AS_THE_SCHEMA_SAYS}
"""What is checked of these: that it cannot serve now, `/health` may say at any time."""
BUYER, WITH_ONE, OF_STRANGE_GOODS, STRANGER = 7, 8, 9, 5
BOUNDED = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Door:
    """An app that has everything, and what is on whose shelf."""

    client: httpx.Client
    shelves: Mapping[int, tuple[int, ...]]

    @property
    def on_shelves(self) -> st.SearchStrategy[tuple[int, int]]:
        """A buyer, and a product that they are shown."""
        return st.sampled_from([(account, one) for account, shelf in self.shelves.items() for one in shelf])

    def operation(self, path: str, method: str = "GET") -> schemathesis.schemas.APIOperation:
        """What its own schema says of an address."""
        return schemathesis.openapi.from_dict(self.client.get("/openapi.json").json())[path][method]


@pytest.fixture(scope="module")
def door(shop: Shop) -> Iterator[Door]:
    """A champion, a live batch, features; and shelves of buyers and of products that the features do not know."""
    lake = Lake(shop.settings.lake_root)
    goods = lake.read(product.TABLE.name, [DAYS[-1]], ["product_id"])["product_id"].to_pylist()
    known = lake.read(buyer.TABLE.name, [DAYS[-1]], ["account_id"])["account_id"].to_pylist()[0]
    shelves = {BUYER: goods[:30], known: goods[:30], WITH_ONE: goods[:1], OF_STRANGE_GOODS: [1, goods[0], 2]}
    version = shop.promote()
    ranked = [ranking(account, shelf, version) for account, shelf in shelves.items()]
    shop.publish("first", [*ranked, for_anybody(goods[30:60])], version)
    with running(shop.settings) as client:
        yield Door(client, {name: tuple(shelf) for name, shelf in (shelves | {STRANGER: goods[30:60]}).items()})


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session that goes to the app directly, whatever proxy there is."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


def cases(door: Door, path: str, mode: GenerationMode) -> st.SearchStrategy[schemathesis.Case]:
    """What is asked. Of two ids by chance, none is a product that the buyer is shown: half of the valid ones are."""
    drawn = door.operation(path, OPERATIONS[path]).as_strategy(generation_mode=mode)
    if path != EXPLAIN or mode is GenerationMode.NEGATIVE:
        return drawn
    return drawn | st.builds(about, drawn, door.on_shelves)


def about(case: schemathesis.Case, pair: tuple[int, int]) -> schemathesis.Case:
    """The case, asked about this buyer and product."""
    case.path_parameters = dict(zip(("account_id", "product_id"), pair, strict=True))
    return case


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("path", OPERATIONS)
def test_nothing_that_is_asked_breaks_it(
    door: Door, session: requests.Session, path: str, mode: GenerationMode
) -> None:
    statuses: Counter[int] = Counter()
    reasons = 0

    @BOUNDED
    @given(case=cases(door, path, mode))
    def ask(case: schemathesis.Case) -> None:
        nonlocal reasons
        response = case.call(base_url=str(door.client.base_url), session=session)
        statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)
        reasons += bool(response.status_code == 200 and response.json().get("reasons"))

    ask()
    assert sum(statuses.values()) >= 20
    assert statuses[200 if mode is GenerationMode.POSITIVE else 422], statuses
    if path == EXPLAIN and mode is GenerationMode.POSITIVE:
        assert statuses[404], statuses
        assert reasons


@pytest.mark.parametrize("path", TAKE_NOTHING)
def test_an_address_that_takes_nothing_answers_whatever_is_added(
    door: Door, session: requests.Session, path: str
) -> None:
    statuses: Counter[int] = Counter()
    added = st.dictionaries(st.text(), st.text(), max_size=5)

    @BOUNDED
    @given(case=door.operation(path).as_strategy(), query=added)
    def ask(case: schemathesis.Case, query: dict[str, str]) -> None:
        response = case.call(base_url=str(door.client.base_url), session=session, params=query)
        statuses[response.status_code] += 1
        case.validate_response(response, checks=TAKE_NOTHING[path])

    ask()
    assert sum(statuses.values()) >= 20
    assert statuses[200], statuses


def test_the_storefront_shows_a_page_or_says_what_is_wrong_whoever_and_whatever_it_is_asked_about(door: Door) -> None:
    statuses: Counter[int] = Counter()
    explained = 0
    one = st.none() | st.integers() | st.text()

    @BOUNDED
    @given(pair=st.tuples(one, one) | door.on_shelves)
    def ask(pair: tuple[int | str | None, int | str | None]) -> None:
        nonlocal explained
        query = {name: value for name, value in zip(("buyer", "why"), pair, strict=True) if value is not None}
        response = door.client.get("/", params=query)
        statuses[response.status_code] += 1
        explained += "What lifts it" in response.text
        assert response.status_code in {200, 422}, response.text

    ask()
    assert statuses[200], statuses
    assert statuses[422], statuses
    assert explained


def test_every_address_of_the_schema_is_asked(door: Door) -> None:
    assert set(door.client.get("/openapi.json").json()["paths"]) == {*OPERATIONS, *TAKE_NOTHING}
