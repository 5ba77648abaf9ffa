"""From a model to a verdict: how good it is, whether it is better than the champion, and whether to ask for it."""

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
from rankloop.errors import RankloopError
from rankloop.mongo import connect
from rankloop.ranking.calibration import Calibration, Reliability, reliability
from rankloop.ranking.comparison import Bootstrap, Comparison, as_json, compare
from rankloop.ranking.evaluation import Evaluation, evaluate
from rankloop.ranking.gate import GateResult, judge
from rankloop.ranking.invariance import check_invariance
from rankloop.ranking.lists import LISTS_SCHEMA
from rankloop.ranking.model import load_model
from rankloop.ranking.model_card import model_card
from rankloop.ranking.report.examples import find_examples
from rankloop.ranking.report.facts import Facts, SetDays
from rankloop.ranking.report.page import comparison_page
from rankloop.ranking.report.summary import summary
from rankloop.ranking.scored import CHAMPION, OURS, scored_lists
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.settings import Settings
from rankloop.settings.gate import GateSettings
from rankloop.training import record
from rankloop.training.record import Training, open_record
from rankloop.training.scoring import score_sets, scores
from rankloop.training.step import step

log = logging.getLogger(__name__)
INVARIANCE_ROWS = 20_000
NOBODY: dict[str, Any] = {"version": None, "digest": None, "as_of": None}


class ComparisonError(RankloopError):
    """A model that nothing can be said of, or not against this champion."""


@step
def measure(settings: Settings, run_id: str) -> Evaluation:
    """Score every list of every set, and put the reference's table into the run."""
    training = open_record(settings, run_id)
    training.refuse_other_model()
    with training.model_folder() as folder:
        model, calibration = load_model(folder), (folder / record.CALIBRATION).read_text(encoding="utf-8")
    check_invariance(model.score, _newest_rows(training, model.features)).insist()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "all.parquet"
        score_sets(model, training.data, training.windows.sets, path)
        training.run.put_file(record.SCORED, path)
        lists = scored_lists(pq.read_table(path))
    evaluation = evaluate(lists, training.metrics)
    log.info("how good it is:\n%s", evaluation.markdown())
    rows = evaluation.as_rows()
    training.run.put_text(record.EVALUATION, as_json(rows))
    figures = {name: [None if row[name] != row[name] else row[name] for row in rows] for name in rows[0]}
    training.run.put_table("evaluation_table.json", figures)
    training.run.log_metrics(evaluation.flat())
    tests = lists.of_sets(*training.tests)
    probability = Calibration.from_json(calibration).apply(tests.score(OURS))
    told = reliability(probability, tests.label > 0, tests.row_weight)
    training.run.put_json(record.RELIABILITY, told.as_dict())
    training.run.tag(**{record.MEASURED: training.tags[record.MODEL]})
    return evaluation


@step
def compare_with_champion(settings: Settings, run_id: str) -> dict[str, Any]:
    """Compare with the champion, on the same newest lists; with none, with the shop's own ranking.

    Done again, with the champion of the first time: another champion wants another training.
    """
    training = open_record(settings, run_id)
    training.refuse_other_model(record.MEASURED)
    standing = _champion(training)
    table = training.scored().of_sets(*training.tests).table
    if standing:
        table = table.append_column(CHAMPION, pa.array(_champions_scores(training, standing)))
    with TemporaryDirectory() as folder:
        pq.write_table(table, Path(folder) / "compared.parquet", compression="zstd")
        training.run.put_file(record.COMPARED, Path(folder) / "compared.parquet")
    gate = _gate_settings(training)
    bootstrap = Bootstrap(gate.resamples, gate.confidence, gate.seed, gate.resample_by)
    comparison = compare(
        scored_lists(table),
        bootstrap,
        sets=training.tests,
        names=training.metrics,
        top_categories=gate.top_categories,
    )
    training.run.put_text(record.COMPARISON, comparison.to_json())
    training.run.tag(compared_with=f"version {standing.number}" if standing else "base_score")
    delta = comparison.of("ndcg@10")
    training.run.log_metrics({f"delta.{name}": getattr(delta, name) for name in ("difference", "lower", "upper")})
    training.run.tag(**{record.COMPARED_MODEL: training.tags[record.MODEL]})
    return {
        "version": standing.number if standing else None,
        "delta ndcg@10": delta.difference,
        "lower": delta.lower,
        "upper": delta.upper,
    }


def _champion(training: Training) -> versions.Version | None:
    """The champion that this training is compared with: whoever is when it is first asked, and noted for good."""
    settings, run = training.settings, training.run
    if run.has(record.STANDING):
        number = run.get_json(record.STANDING)["version"]
        return versions.version(Registry(settings.mlflow), number) if number else None
    with connect(settings.mongo) as client:
        now = current_champion(client, Registry(settings.mlflow))
    if now and now.as_of > training.as_of:
        raise ComparisonError(
            f"{run.owner} is as of {training.as_of} and cannot be compared with the champion, version {now.number}, "
            f"which is as of {now.as_of}: it may have learned from the very days that both would be judged on. Train "
            f"as of {now.as_of} or later."
        )
    noted = {"version": now.number, "digest": now.digest, "as_of": now.as_of} if now else NOBODY
    run.put_json(record.STANDING, noted)
    return now


def _champions_scores(training: Training, standing: versions.Version) -> npt.NDArray[np.float64]:
    with TemporaryDirectory() as folder:
        model = load_model(versions.load(Registry(training.settings.mlflow), standing, Path(folder) / "champion"))
    if gone := sorted(set(model.features) - {field.name for field in LISTS_SCHEMA}):
        raise ComparisonError(
            f"the champion, version {standing.number}, ranks by {', '.join(gone)}, which the catalogue of features has "
            f"no more, so it cannot be compared on the lists of {training.run.owner}. Bring them back, clear from "
            "`build_training_set` on, and leave them out once a champion ranks that needs none of them."
        )
    return scores(model, training.data, training.tests)


def _newest_rows(training: Training, features: Sequence[str]) -> pa.Table:
    """Some of the newest test rows that there are."""
    for name in reversed(training.tests):
        for _, batch in training.data.batches(name, features):
            return pa.Table.from_batches([batch.slice(0, INVARIANCE_ROWS)])
    days = [day for name in training.tests for day in training.windows.sets[name]]
    raise ComparisonError(
        f"{training.run.owner}: there is no list on any test day ({days[0]} to {days[-1]}), so nothing can be "
        "measured. See whether impressions still arrive, and train as of another day."
    )


@step
def gate(settings: Settings, run_id: str) -> dict[str, Any]:
    """Judge the comparison by the rules, and write the report and the model card; whether it passed, and why."""
    training = open_record(settings, run_id)
    training.refuse_other_model(record.MEASURED, record.COMPARED_MODEL)
    comparison = Comparison.from_json(training.run.get_text(record.COMPARISON))
    standing = training.run.get_json(record.STANDING)
    age = (training.as_of - date.fromisoformat(standing["as_of"])).days if standing["as_of"] else None
    result = judge(comparison, _gate_settings(training), champion_age_days=age, drift=training.drift)
    training.run.put_text(record.GATE, result.to_json())
    facts = _facts(training, comparison, result, standing["version"])
    report = f"{training.run.uri}/#/experiments/{training.run.experiment_id}/runs/{run_id}/artifacts"
    training.run.put_text(record.REPORT, comparison_page(facts, _gate_settings(training)))
    training.run.put_text(record.SUMMARY, summary(facts, report))
    training.run.put_text(record.CARD, model_card(facts))
    passed = "passed" if result.passed else "failed"
    training.run.tag(gate=passed, verdict=result.verdict, **{record.JUDGED: training.tags[record.MODEL]})
    return {"passed": result.passed, "verdict": result.verdict}


def _gate_settings(training: Training) -> GateSettings:
    return GateSettings.model_validate(training.noted["gate"])


def _facts(training: Training, comparison: Comparison, result: GateResult, champion: int | None) -> Facts:
    run = training.run
    curve = run.get_json(record.CURVE)
    code = run.get_json(record.CODE)
    return Facts(
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


def _days(training: Training) -> list[SetDays]:
    counts, found = training.run.get_json(record.DATA)["counts"], []
    for name, days in training.windows.sets.items():
        sizes = (counts[name][what] for what in ("lists", "lists_with_reaction", "shown"))
        found.append(SetDays(name, days[0], days[-1], *sizes))
    return found
