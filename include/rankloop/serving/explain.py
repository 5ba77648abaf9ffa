"""Says in words which features moved a product within its buyer's list.

What a feature adds to a score means little by itself: one that lifts every product of the list moves none. So each
counts by what it adds to this product beyond what it adds to the list's products on average.
"""

import re
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from rankloop.calendar import start_of
from rankloop.features.catalogue import FAMILIES
from rankloop.scoring.ranker import Ranker
from rankloop.serving.answers import Explanation, Reason
from rankloop.serving.day import Day
from rankloop.serving.ranking import Asked, features_of
from rankloop.serving.serving import NoRankingError, NotReadyError, Serving, Shown

OF = {"shop": "the shop: ", "product": "the product: ", "buyer_shop": "the buyer and the shop: "}
"""Families whose meanings are told apart only by whom they are of."""
MEANINGS = {
    feature.name: OF.get(family.name, "") + re.sub(r" \(setting \w+\)", "", feature.meaning)
    for family in FAMILIES
    for feature in family.features
}
MOST = 4
"""Features said of each direction."""
SAID = 2
"""Of these, in the sentence."""
NEXT_TO_NOTHING = 1e-6


def explain(serving: Serving, account_id: int, product_id: int) -> Explanation:
    """Why this product stands where it does in the buyer's live ranking."""
    shown = serving.shown(account_id)
    if product_id not in shown.ranking.products:
        raise NoRankingError(
            f"product {product_id} is not among the {len(shown.ranking.products)} products of buyer {account_id}'s "
            f"ranking in batch {shown.live.batch}, so there is nothing to explain."
        )
    ranker, day = serving.ranker, serving.day
    if ranker is None:
        raise NotReadyError(serving.why_not_ready() or "who ranks is not known yet; ask again")
    if shown.version is None or ranker.model is None:
        return _answer(shown, account_id, product_id, None, None, ())
    if day is None:
        raise NotReadyError(serving.why_not_ready() or "no features are loaded yet; ask again")
    asked = _as_scored(serving, shown, account_id, day)
    reasons = _reasons(ranker, day, asked, product_id, serving.settings.serving.answer_within_s)
    return _answer(shown, account_id, product_id, ranker, day, reasons)


def _as_scored(serving: Serving, shown: Shown, account_id: int, day: Day) -> Asked:
    """The list as a batch is scored: at its hour of the day after, on the home page."""
    at = start_of(day.day + timedelta(days=1), serving.settings.zone)
    at += timedelta(hours=serving.settings.scoring.hour)
    return Asked(account_id, "home", at, shown.ranking.products, shown.ranking.base_scores)


def _reasons(ranker: Ranker, day: Day, asked: Asked, product_id: int, within_s: float) -> tuple[Reason, ...]:
    if ranker.model is None:
        return ()
    rows = features_of(ranker, day, asked, within_s)
    added = ranker.model.explain(rows)[:, : len(ranker.model.features)]
    place = list(asked.products).index(product_id)
    moved = added[place] - added.mean(axis=0)
    order = np.argsort(-np.abs(moved)).tolist()
    ups = [number for number in order if moved[number] > NEXT_TO_NOTHING][:MOST]
    downs = [number for number in order if moved[number] < -NEXT_TO_NOTHING][:MOST]
    found = []
    for number in (*ups, *downs):
        name = ranker.model.features[number]
        values = rows[name].to_numpy(zero_copy_only=False).astype(np.float64)
        there = values[~np.isnan(values)]
        found.append(
            Reason(
                feature=name,
                means=MEANINGS[name],
                value=None if np.isnan(values[place]) else float(values[place]),
                usual=float(np.median(there)) if len(there) else None,
                moves="up" if moved[number] > 0 else "down",
                by=round(float(abs(moved[number])), 4),
            )
        )
    return tuple(found)


def _answer(  # noqa: PLR0913, PLR0917  (what is said, from whom, and of what)
    shown: Shown, account_id: int, product_id: int, ranker: Ranker | None, day: Day | None, reasons: Sequence[Reason]
) -> Explanation:
    ranking = shown.ranking
    place = ranking.products.index(product_id)
    return Explanation(
        account_id=account_id,
        product_id=product_id,
        batch=shown.live.batch,
        policy=ranker.policy if ranker else ranking.policy,
        version=ranker.version if ranker else shown.version,
        day=day.day if day else None,
        rank=place + 1,
        base_rank=ranking.base_ranks[place],
        sources=tuple(ranking.sources[place].split("+")),
        sentence=_sentence(shown, place, ranker, reasons),
        reasons=tuple(reasons),
    )


def _sentence(shown: Shown, place: int, ranker: Ranker | None, reasons: Sequence[Reason]) -> str:
    ranking = shown.ranking
    where = f"It is number {place + 1} of {len(ranking.products)}"
    where += f"; the shop's own ranking has it at {ranking.base_ranks[place]}."
    if ranker is None:
        who = "nobody knows this buyer yet" if shown.fallback else "no model ranked this list"
        return f"{where} That is the shop's own ranking: {who}."
    parts = [where]
    for moves, words in (("up", "What lifts it:"), ("down", "What holds it back:")):
        said = [_said(reason) for reason in reasons if reason.moves == moves][:SAID]
        if said:
            parts.append(f"{words} {'; '.join(said)}.")
    if ranker.version != shown.version:
        parts.append(f"These are the reasons of {ranker.policy}; the batch was ranked by {ranking.policy}.")
    return " ".join(parts)


def _said(reason: Reason) -> str:
    return f"{reason.means}, {figure(reason.value)} (usual here: {figure(reason.usual)})"


def figure(value: float | None) -> str:
    """A feature's value, for people."""
    if value is None:
        return "unknown"
    return f"{value:,.0f}".replace(",", " ") if value == int(value) else f"{value:.3g}"
