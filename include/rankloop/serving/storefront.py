"""The storefront, as a page: a buyer's shelf beside the shop's own, why each product is there, and what they did."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from jinja2 import Environment, PackageLoader

from rankloop.candidates.generation import SOURCES
from rankloop.errors import RankloopError
from rankloop.serving.answers import Explanation
from rankloop.serving.day import Good
from rankloop.serving.explain import explain, figure
from rankloop.serving.serving import Serving, Shown
from rankloop.state.rankings import Ranking

PAGES = Environment(loader=PackageLoader("rankloop.serving", ""), autoescape=True, trim_blocks=True, lstrip_blocks=True)
ON_SHELF, OF_HISTORY, SAMPLES = 12, 12, 8
MEANINGS = {source.name: source.meaning for source in SOURCES}
SHORT = {
    "base": "popular",
    "categories": "favourite category",
    "shops": "favourite shop",
    "looked": "looked at lately",
    "alike": "their words",
    "rising": "rising",
    "explore": "by chance",
}
DEEDS = {
    "view": "looked at",
    "click": "clicked",
    "like_shop": "liked the shop of",
    "add_to_cart": "put into the cart",
    "order": "ordered",
}


@dataclass(frozen=True)
class Card:
    """A product on a shelf."""

    product_id: int
    name: str
    price: str
    rank: int
    base_rank: int
    sources: tuple[tuple[str, str], ...]
    """Where the candidate came from: in a word or two, and in full."""

    @property
    def moved(self) -> int:
        """How many places further up than the shop's own ranking has it."""
        return self.base_rank - self.rank


@dataclass(frozen=True)
class Deed:
    """Something that the buyer did."""

    at: str
    what: str
    name: str


def page(serving: Serving, account_id: int | None, product_id: int | None) -> str:
    """The page, as HTML; without a buyer, one of the busiest."""
    day = serving.day
    buyers = day.some_buyers(SAMPLES) if day else []
    chosen = account_id if account_id is not None else (buyers[0][0] if buyers else None)
    trouble, shown, anybody = "", None, None
    try:
        if chosen is not None:
            shown = serving.shown(chosen)
            anybody = serving.for_anybody(shown.live)
    except RankloopError as error:
        trouble = str(error)
    why = _why(serving, shown, chosen, product_id)
    wanted = {*_ids(shown.ranking if shown else None), *_ids(anybody)}
    history = day.history(chosen, OF_HISTORY) if day and chosen is not None else []
    goods = day.goods({*wanted, *(done[2] for done in history)}) if day else {}
    return PAGES.get_template("storefront.html.j2").render(
        buyers=buyers,
        buyer=chosen,
        shown=shown,
        ours=_cards(shown.ranking, goods) if shown else [],
        base=_cards(anybody, goods) if anybody else [],
        history=[_deed(serving, done, goods) for done in history],
        trouble=trouble or serving.why_not_ready(),
        day=day.day if day else None,
        why=why,
        figure=figure,
        why_card=_card_of(shown, product_id, goods) if why and product_id is not None else None,
    )


def _why(serving: Serving, shown: Shown | None, account_id: int | None, product_id: int | None) -> Explanation | None:
    if shown is None or account_id is None or product_id is None or product_id not in shown.ranking.products:
        return None
    try:
        return explain(serving, account_id, product_id)
    except RankloopError:  # the page says elsewhere what is missing
        return None


def _ids(ranking: Ranking | None) -> Iterable[int]:
    return ranking.products[:ON_SHELF] if ranking else ()


def _cards(ranking: Ranking, goods: Mapping[int, Good]) -> list[Card]:
    return [_card(ranking, place, goods) for place in range(min(ON_SHELF, len(ranking.products)))]


def _card_of(shown: Shown | None, product_id: int, goods: Mapping[int, Good]) -> Card | None:
    if shown is None or product_id not in shown.ranking.products:
        return None
    return _card(shown.ranking, shown.ranking.products.index(product_id), goods)


def _card(ranking: Ranking, place: int, goods: Mapping[int, Good]) -> Card:
    product_id = ranking.products[place]
    good = goods.get(product_id)
    return Card(
        product_id=product_id,
        name=_readable(good, product_id),
        price=dong(good.price) if good else "",
        rank=place + 1,
        base_rank=ranking.base_ranks[place],
        sources=tuple((SHORT.get(name, name), MEANINGS.get(name, "")) for name in ranking.sources[place].split("+")),
    )


def _deed(serving: Serving, done: tuple[datetime, str, int], goods: Mapping[int, Good]) -> Deed:
    at, kind, product_id = done
    return Deed(
        f"{at.astimezone(serving.settings.zone):%d.%m. %H:%M}",
        DEEDS[kind],
        _readable(goods.get(product_id), product_id),
    )


def _readable(good: Good | None, product_id: int) -> str:
    """The name as people write it: its words are joined by _ for the features' sake."""
    text = good.name.replace("_", " ").strip() if good else ""
    return text[:1].upper() + text[1:] or f"product {product_id}"


def dong(price: int) -> str:
    """A price as shops in Vietnam write it, `1.290.000 ₫`."""
    return f"{price:,} ₫".replace(",", ".")
