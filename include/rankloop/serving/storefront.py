"""The storefront page: a buyer's ranking beside the shop's own, why each product is there, and what the buyer did."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from jinja2 import Environment, PackageLoader

from rankloop.candidates.generation import SOURCES
from rankloop.errors import RankloopError
from rankloop.serving.explanation import explain_product, format_feature_value
from rankloop.serving.feature_cache import ProductDetails
from rankloop.serving.schemas import Explanation
from rankloop.serving.service import LiveRanking, RankingService
from rankloop.state.rankings import Ranking

TEMPLATES = Environment(
    loader=PackageLoader("rankloop.serving", ""), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
CARDS, ACTIONS, SAMPLE_BUYERS = 12, 12, 8
SOURCES_BY_NAME = {source.name: source for source in SOURCES}
ACTION_WORDS = {
    "view": "viewed",
    "click": "clicked",
    "like_shop": "liked the shop of",
    "add_to_cart": "added to the cart",
    "order": "ordered",
}


@dataclass(frozen=True)
class ProductCard:
    """A product in a ranking."""

    product_id: int
    name: str
    price: str
    rank: int
    base_rank: int
    sources: tuple[tuple[str, str], ...]
    """The label and the meaning of each candidate source that proposed it."""

    @property
    def moved(self) -> int:
        """How many places higher it is than in the shop's own ranking."""
        return self.base_rank - self.rank


@dataclass(frozen=True)
class BuyerAction:
    """Something that the buyer did."""

    at: str
    what: str
    name: str


def render_storefront(service: RankingService, account_id: int | None, product_id: int | None) -> str:
    """Return the page as HTML; without an `account_id`, of one of the busiest buyers."""
    day = service.day
    buyers = day.some_buyers(SAMPLE_BUYERS) if day else []
    chosen = account_id if account_id is not None else (buyers[0][0] if buyers else None)
    problem, shown, default = "", None, None
    try:
        if chosen is not None:
            shown = service.live_ranking(chosen)
            default = service.default_ranking(shown.live)
    except RankloopError as error:
        problem = str(error)
    why = _explanation(service, shown, chosen, product_id)
    wanted = {*_top_products(shown.ranking if shown else None), *_top_products(default)}
    history = day.history(chosen, ACTIONS) if day and chosen is not None else []
    products = day.goods({*wanted, *(action[2] for action in history)}) if day else {}
    return TEMPLATES.get_template("storefront.html.j2").render(
        buyers=buyers,
        buyer=chosen,
        shown=shown,
        ours=_cards(shown.ranking, products) if shown else [],
        base=_cards(default, products) if default else [],
        history=[_action(service.zone, action, products) for action in history],
        problem=problem or service.why_not_ready(),
        day=day.day if day else None,
        why=why,
        format_value=format_feature_value,
        why_card=_card_of(shown, product_id, products) if why and product_id is not None else None,
    )


def _explanation(
    service: RankingService, shown: LiveRanking | None, account_id: int | None, product_id: int | None
) -> Explanation | None:
    if shown is None or account_id is None or product_id is None or product_id not in shown.ranking.products:
        return None
    try:
        return explain_product(service, account_id, product_id)
    except RankloopError:  # the page says elsewhere what is missing
        return None


def _top_products(ranking: Ranking | None) -> Iterable[int]:
    return ranking.products[:CARDS] if ranking else ()


def _cards(ranking: Ranking, products: Mapping[int, ProductDetails]) -> list[ProductCard]:
    return [_card(ranking, index, products) for index in range(min(CARDS, len(ranking.products)))]


def _card_of(shown: LiveRanking | None, product_id: int, products: Mapping[int, ProductDetails]) -> ProductCard | None:
    if shown is None or product_id not in shown.ranking.products:
        return None
    return _card(shown.ranking, shown.ranking.products.index(product_id), products)


def _card(ranking: Ranking, index: int, products: Mapping[int, ProductDetails]) -> ProductCard:
    product_id = ranking.products[index]
    details = products.get(product_id)
    return ProductCard(
        product_id=product_id,
        name=_display_name(details, product_id),
        price=format_dong(details.price) if details else "",
        rank=index + 1,
        base_rank=ranking.base_ranks[index],
        sources=tuple(_source_words(name) for name in ranking.sources[index].split("+")),
    )


def _source_words(name: str) -> tuple[str, str]:
    """Return label and meaning; a batch of an older release may name a source that does not exist any more."""
    source = SOURCES_BY_NAME.get(name)
    return (source.label, source.meaning) if source else (name, "")


def _action(zone: tzinfo, action: tuple[datetime, str, int], products: Mapping[int, ProductDetails]) -> BuyerAction:
    at, kind, product_id = action
    return BuyerAction(
        f"{at.astimezone(zone):%d.%m. %H:%M}",
        ACTION_WORDS[kind],
        _display_name(products.get(product_id), product_id),
    )


def _display_name(details: ProductDetails | None, product_id: int) -> str:
    """Return the name with spaces: the features need its words joined by `_`."""
    text = details.name.replace("_", " ").strip() if details else ""
    return text[:1].upper() + text[1:] or f"product {product_id}"


def format_dong(price: int) -> str:
    """Return a price as shops in Vietnam write it, `1.290.000 ₫`."""
    return f"{price:,} ₫".replace(",", ".")
