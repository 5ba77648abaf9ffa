"""Explains a product's rank: how much each feature moved it within its buyer's list.

A feature's contribution to a score means little by itself: one that lifts every product of the list moves none. So it
counts by how far its contribution to this product differs from its average contribution over the list.
"""

from collections.abc import Sequence

import numpy as np

from rankloop.features.catalogue import feature_meaning
from rankloop.scoring.ranker import ActiveRanker
from rankloop.serving.feature_cache import DayCache
from rankloop.serving.rerank import ListToRank, model_inputs
from rankloop.serving.schemas import Explanation, FeatureContribution
from rankloop.serving.service import LiveRanking, NoRankingError, NotReadyError, RankingService

MAX_REASONS = 4
"""Features listed in each direction."""
MAX_REASONS_IN_SENTENCE = 2
NEGLIGIBLE = 1e-6


def explain_product(service: RankingService, account_id: int, product_id: int) -> Explanation:
    """Return why this product has its rank in the buyer's live ranking."""
    shown = service.live_ranking(account_id)
    if product_id not in shown.ranking.products:
        raise NoRankingError(
            f"product {product_id} is not among the {len(shown.ranking.products)} products of buyer {account_id}'s "
            f"ranking in batch {shown.live.batch}, so there is nothing to explain."
        )
    ranker, day = service.ranker, service.day
    if ranker is None:
        raise NotReadyError(service.why_not_ready() or "the ranker is not known yet; retry")
    if shown.version is None or ranker.model is None:
        return _explanation(shown, account_id, product_id, None, None, ())
    if day is None:
        raise NotReadyError(service.why_not_ready() or "no features are loaded yet; retry")
    ranking = shown.ranking
    # As a batch is scored: on the home page, at the hour of the day after.
    scored = ListToRank(account_id, "home", service.list_time(day.day), ranking.products, ranking.base_scores)
    reasons = _reasons(ranker, day, scored, product_id, service.options.answer_within_s)
    return _explanation(shown, account_id, product_id, ranker, day, reasons)


def _reasons(
    ranker: ActiveRanker, day: DayCache, scored: ListToRank, product_id: int, timeout_s: float
) -> tuple[FeatureContribution, ...]:
    if ranker.model is None:
        return ()
    rows = model_inputs(ranker, day, scored, timeout_s)
    contributions = ranker.model.explain(rows)[:, : len(ranker.model.features)]
    index = list(scored.products).index(product_id)
    moved = contributions[index] - contributions.mean(axis=0)
    order = np.argsort(-np.abs(moved)).tolist()
    ups = [number for number in order if moved[number] > NEGLIGIBLE][:MAX_REASONS]
    downs = [number for number in order if moved[number] < -NEGLIGIBLE][:MAX_REASONS]
    reasons = []
    for number in (*ups, *downs):
        name = ranker.model.features[number]
        values = rows[name].to_numpy(zero_copy_only=False).astype(np.float64)
        known = values[~np.isnan(values)]
        reasons.append(
            FeatureContribution(
                feature=name,
                means=feature_meaning(name),
                value=None if np.isnan(values[index]) else float(values[index]),
                usual=float(np.median(known)) if len(known) else None,
                moves="up" if moved[number] > 0 else "down",
                by=round(float(abs(moved[number])), 4),
            )
        )
    return tuple(reasons)


def _explanation(  # noqa: PLR0913, PLR0917  (the fields of one answer)
    shown: LiveRanking,
    account_id: int,
    product_id: int,
    ranker: ActiveRanker | None,
    day: DayCache | None,
    reasons: Sequence[FeatureContribution],
) -> Explanation:
    ranking = shown.ranking
    index = ranking.products.index(product_id)
    return Explanation(
        account_id=account_id,
        product_id=product_id,
        batch=shown.live.batch,
        policy=ranker.policy if ranker else ranking.policy,
        version=ranker.version if ranker else shown.version,
        day=day.day if day else None,
        rank=index + 1,
        base_rank=ranking.base_ranks[index],
        sources=tuple(ranking.sources[index].split("+")),
        sentence=_sentence(shown, index, ranker, reasons),
        reasons=tuple(reasons),
    )


def _sentence(
    shown: LiveRanking, index: int, ranker: ActiveRanker | None, reasons: Sequence[FeatureContribution]
) -> str:
    ranking = shown.ranking
    rank = f"It is number {index + 1} of {len(ranking.products)}"
    rank += f"; the shop's own ranking has it at {ranking.base_ranks[index]}."
    if ranker is None:
        why = "the batch does not have this buyer" if shown.fallback else "no model ranked this list"
        return f"{rank} This is the shop's own ranking: {why}."
    parts = [rank]
    for moves, heading in (("up", "What lifts it:"), ("down", "What holds it back:")):
        listed = [_clause(reason) for reason in reasons if reason.moves == moves][:MAX_REASONS_IN_SENTENCE]
        if listed:
            parts.append(f"{heading} {'; '.join(listed)}.")
    if ranker.version != shown.version:
        parts.append(f"These are the reasons of {ranker.policy}; the batch was ranked by {ranking.policy}.")
    return " ".join(parts)


def _clause(reason: FeatureContribution) -> str:
    return f"{reason.means}, {format_feature_value(reason.value)} (usual here: {format_feature_value(reason.usual)})"


def format_feature_value(value: float | None) -> str:
    """Return a feature's value as text."""
    if value is None:
        return "unknown"
    return f"{value:,.0f}".replace(",", " ") if value == int(value) else f"{value:.3g}"
