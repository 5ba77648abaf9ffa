"""Evaluates a model, compares it with the champion, and applies the gate."""

import logging
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from rankloop.champions.current import current_champion
from rankloop.context import Context
from rankloop.errors import RankloopError
from rankloop.ranking.calibration import Calibration, Reliability, reliability
from rankloop.ranking.comparison import Bootstrap, Comparison, as_json, compare
from rankloop.ranking.evaluation import Evaluation, evaluate
from rankloop.ranking.gate import GateResult, judge
from rankloop.ranking.invariance import check_invariance
from rankloop.ranking.model import load_model
from rankloop.ranking.model_card import model_card
from rankloop.ranking.report.examples import find_examples
from rankloop.ranking.report.facts import ReportData, SetDays
from rankloop.ranking.report.page import comparison_page
from rankloop.ranking.report.summary import summary
from rankloop.ranking.scored import CHAMPION, OURS, scored_lists
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.training import record
from rankloop.training.record import TrainingRecord, open_record
from rankloop.training.scoring import model_scores, score_sets
from rankloop.training.step import training_step

log = logging.getLogger(__name__)
INVARIANCE_ROWS = 20_000
NO_CHAMPION: dict[str, Any] = {"version": None, "digest": None, "as_of": None}


class ComparisonError(RankloopError):
    """A model that cannot be evaluated, or not be compared with this champion."""


@training_step
def evaluate_model(context: Context, run_id: str) -> Evaluation:
    """Score every list of every set, and log the table of metrics."""
    training = open_record(context.registry, context.lake, run_id)
    training.require_same_model()
    with training.model_folder() as folder:
        model, calibration = load_model(folder), (folder / record.CALIBRATION).read_text(encoding="utf-8")
    check_invariance(model.score, _newest_rows(training, model.features)).insist()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "all.parquet"
        score_sets(model, training.data, training.windows.sets, path)
        training.run.put_file(record.SCORED, path)
        lists = scored_lists(pq.read_table(path))
    evaluation = evaluate(lists, training.metrics)
    log.info("evaluation:\n%s", evaluation.markdown())
    rows = evaluation.as_rows()
    training.run.put_text(record.EVALUATION, as_json(rows))
    figures = {name: [None if row[name] != row[name] else row[name] for row in rows] for name in rows[0]}
    training.run.put_table("evaluation_table.json", figures)
    training.run.log_metrics(evaluation.flat())
    tests = lists.of_sets(*training.tests)
    probability = Calibration.from_json(calibration).apply(tests.score(OURS))
    curve = reliability(probability, tests.label > 0, tests.row_weight)
    training.run.put_json(record.RELIABILITY, curve.as_dict())
    training.run.tag(**{record.MEASURED: training.tags[record.MODEL]})
    return evaluation


@training_step
def compare_with_champion(context: Context, run_id: str) -> dict[str, Any]:
    """Compare the model with the champion on the same test lists, or with the base ranking if there is no champion.

    Run again, it compares with the same champion as before: for another one, train again.
    """
    training = open_record(context.registry, context.lake, run_id)
    training.require_same_model(record.MEASURED)
    champion = _champion(context, training)
    table = training.scored().of_sets(*training.tests).table
    if champion:
        scores = _champion_scores(context.registry, training, champion)
        table = table.append_column(CHAMPION, pa.array(scores))
    with TemporaryDirectory() as folder:
        pq.write_table(table, Path(folder) / "compared.parquet", compression="zstd")
        training.run.put_file(record.COMPARED, Path(folder) / "compared.parquet")
    gate = training.gate
    bootstrap = Bootstrap(gate.resamples, gate.confidence, gate.seed, gate.resample_by)
    comparison = compare(
        scored_lists(table),
        bootstrap,
        sets=training.tests,
        names=training.metrics,
        top_categories=gate.top_categories,
    )
    training.run.put_text(record.COMPARISON, comparison.to_json())
    training.run.tag(compared_with=f"version {champion.number}" if champion else "base_score")
    delta = comparison.of("ndcg@10")
    training.run.log_metrics({f"delta.{name}": getattr(delta, name) for name in ("difference", "lower", "upper")})
    training.run.tag(**{record.COMPARED_MODEL: training.tags[record.MODEL]})
    return {
        "version": champion.number if champion else None,
        "delta ndcg@10": delta.difference,
        "lower": delta.lower,
        "upper": delta.upper,
    }


def _champion(context: Context, training: TrainingRecord) -> versions.Version | None:
    """Return the champion to compare with: the current one at first, later the one that the run recorded."""
    run = training.run
    if run.has(record.CHAMPION):
        number = run.get_json(record.CHAMPION)["version"]
        return versions.version(context.registry, number) if number else None
    now = current_champion(context.state, context.registry)
    if now and now.as_of > training.as_of:
        raise ComparisonError(
            f"{run.owner} is as of {training.as_of} and cannot be compared with the champion, version {now.number}, "
            f"which is as of {now.as_of}: it may have learned from the very days that both would be judged on. Train "
            f"as of {now.as_of} or later."
        )
    recorded = {"version": now.number, "digest": now.digest, "as_of": now.as_of} if now else NO_CHAMPION
    run.put_json(record.CHAMPION, recorded)
    return now


def _champion_scores(
    registry: Registry, training: TrainingRecord, champion: versions.Version
) -> npt.NDArray[np.float64]:
    with TemporaryDirectory() as folder:
        model = load_model(versions.load(registry, champion, Path(folder) / "champion"))
    if missing := sorted(set(model.features) - set(training.data.features)):
        raise ComparisonError(
            f"the champion, version {champion.number}, ranks by {', '.join(missing)}, which the catalogue of features "
            f"no longer has, so it cannot be compared on the lists of {training.run.owner}. Bring them back, clear "
            "from `build_training_set` on, and leave them out once a champion ranks that needs none of them."
        )
    return model_scores(model, training.data, training.tests)


def _newest_rows(training: TrainingRecord, features: Sequence[str]) -> pa.Table:
    """Return some of the newest test rows."""
    for name in reversed(training.tests):
        for _, batch in training.data.batches(name, features):
            return pa.Table.from_batches([batch.slice(0, INVARIANCE_ROWS)])
    days = [day for name in training.tests for day in training.windows.sets[name]]
    raise ComparisonError(
        f"{training.run.owner}: there is no list on any test day ({days[0]} to {days[-1]}), so nothing can be "
        "measured. See whether impressions still arrive, and train as of another day."
    )


@training_step
def apply_gate(context: Context, run_id: str) -> dict[str, Any]:
    """Apply the gate to the comparison, write the report and the model card, and return the verdict."""
    training = open_record(context.registry, context.lake, run_id)
    training.require_same_model(record.MEASURED, record.COMPARED_MODEL)
    comparison = Comparison.from_json(training.run.get_text(record.COMPARISON))
    champion = training.run.get_json(record.CHAMPION)
    age = (training.as_of - date.fromisoformat(champion["as_of"])).days if champion["as_of"] else None
    result = judge(comparison, training.gate, champion_age_days=age, drift=training.drift)
    training.run.put_text(record.GATE, result.to_json())
    facts = _facts(training, comparison, result, champion["version"])
    report = f"{training.run.uri}/#/experiments/{training.run.experiment_id}/runs/{run_id}/artifacts"
    training.run.put_text(record.REPORT, comparison_page(facts, training.gate))
    training.run.put_text(record.SUMMARY, summary(facts, report))
    training.run.put_text(record.CARD, model_card(facts))
    passed = "passed" if result.passed else "failed"
    training.run.tag(gate=passed, verdict=result.verdict, **{record.JUDGED: training.tags[record.MODEL]})
    return {"passed": result.passed, "verdict": result.verdict}


def _facts(training: TrainingRecord, comparison: Comparison, result: GateResult, champion: int | None) -> ReportData:
    run = training.run
    curve = run.get_json(record.CURVE)
    code = run.get_json(record.CODE)
    return ReportData(
        challenger=f"run {training.run.run_id[:8]}",
        champion=f"version {champion}" if champion else "",
        as_of=training.as_of,
        why=training.reason,
        ranker=training.options.ranker,
        days=_days(training),
        evaluation=Evaluation.from_rows(run.get_json(record.EVALUATION)),
        comparison=comparison,
        gate=result,
        features=training.preprocessing().features,
        importance=run.get_json(record.IMPORTANCE),
        parameters=run.get_json(record.TUNING)["params"],
        table_versions=run.get_json(record.DATA)["versions"],
        code=(code["commit"] or code["digest"])[:12],
        run=run.link,
        examples=find_examples(training.scored(record.COMPARED)),
        reliability=Reliability.from_dict(run.get_json(record.RELIABILITY)),
        learning_curve={f"valid {curve['metric']}": curve["valid"]},
    )


def _days(training: TrainingRecord) -> list[SetDays]:
    counts, result = training.run.get_json(record.DATA)["counts"], []
    for name, days in training.windows.sets.items():
        sizes = (counts[name][what] for what in ("lists", "lists_with_reaction", "shown"))
        result.append(SetDays(name, days[0], days[-1], *sizes))
    return result
