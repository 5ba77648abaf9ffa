"""The end of a training: a registered challenger, or the recorded reason why there is none."""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rankloop.context import Context
from rankloop.contracts.lake import DAY
from rankloop.contracts.marketplace import BASE_POLICY
from rankloop.errors import RankloopError
from rankloop.experiment import is_control
from rankloop.ranking.blocks import KEYS, buyer_groups, row_draws
from rankloop.ranking.gate import GateResult
from rankloop.ranking.model import Model
from rankloop.ranking.scored import OURS
from rankloop.registry import versions
from rankloop.registry.aliases import retire
from rankloop.registry.tracking import TrainingRun
from rankloop.training import record
from rankloop.training.record import TrainingRecord, open_record
from rankloop.training.step import training_step

REFERENCE_ROWS = 100_000


class RejectedError(RankloopError):
    """A model that the gate rejected."""


@training_step
def register_challenger(context: Context, run_id: str) -> int:
    """Register the model with its evidence as the challenger, and return its version number.

    Raises an error for a model that the gate rejected.
    """
    training = open_record(context.registry, context.lake, run_id)
    result = _result(training)
    if not result.passed:
        raise RejectedError(f"run {run_id} is not registered. {_reasons(result)}")
    _upload_reference(training, context.settings.experiment.control_share)
    run, data = training.run, training.run.get_json(record.DATA)
    champion = run.get_json(record.CHAMPION)
    facts = versions.VersionSummary(
        as_of=training.as_of,
        data_versions=data["versions"],
        gate=result.verdict,
        card=record.CARD,
        more={
            "reason": training.reason,
            "data_digest": data["digest"],
            "champion_compared": champion["version"] or "base_score",
            "champion_digest": champion["digest"] or "",
        },
    )
    number = versions.register(context.registry, run, run.tags["rankloop.model_digest"], facts)
    run.tag(outcome="registered", version=number)
    run.finish()
    return number


@training_step
def record_rejection(context: Context, run_id: str) -> str:
    """Record the rejection and return its reasons: the rules that failed, with their figures."""
    training = open_record(context.registry, context.lake, run_id)
    reasons = _reasons(_result(training))
    for earlier in versions.versions(context.registry):
        # A version that this training registered before it was cleared must not be approved any more.
        if earlier.run_id == run_id and earlier.lifecycle == "Staging":
            retire(context.registry, earlier.number)
    training.run.tag(outcome="rejected", rejected_because=reasons)
    training.run.finish()
    return reasons


def _result(training: TrainingRecord) -> GateResult:
    training.require_same_model(record.MEASURED, record.COMPARED_MODEL, record.JUDGED)
    return GateResult.from_json(training.run.get_text(record.GATE))


def _reasons(result: GateResult) -> str:
    return "\n".join([result.verdict, *(rule.sentence for rule in result.failures)])


def _upload_reference(training: TrainingRecord, control_share: float) -> None:
    """Upload a sample of the test lists with features and scores: the reference that drift is measured against.

    Rows are sampled by a hash of list and product: every n-th row would be of the same few positions.
    """
    model, data = training.model(), training.data
    columns = [*dict.fromkeys([*KEYS, "account_id", "policy", *model.features, "base_score", "weight"])]
    share, sample = min(1.0, REFERENCE_ROWS / max(sum(data.rows(name) for name in training.tests), 1)), []
    for name in training.tests:
        for day, batch in data.batches(name, columns):
            rows = batch.filter(pa.array(row_draws(batch) <= share * 2.0**64))
            sample.append(_reference_rows(rows, model, day, control_share))
    with TemporaryDirectory() as folder:
        pq.write_table(pa.Table.from_batches(sample), Path(folder) / "reference.parquet", compression="zstd")
        training.run.put_file(record.REFERENCE, Path(folder) / "reference.parquet")


def _reference_rows(rows: pa.RecordBatch, model: Model, day: date, control_share: float) -> pa.RecordBatch:
    """Return the rows without the buyer's id, but with all that says which live rows compare with them."""
    control = is_control(rows["account_id"].to_numpy(), control_share)
    derived = {
        DAY: pa.array([day] * rows.num_rows, pa.date32()),
        "shops_own": pc.equal(rows["policy"], BASE_POLICY),
        "control": pa.array(control),
        "buyer_group": pa.array(buyer_groups(rows["account_id"])),
        OURS: pa.array(model.score(rows)),
    }
    copied = {name: rows[name] for name in (*model.features, "base_score", "weight")}
    return pa.RecordBatch.from_pydict({**copied, **derived})


def training_outcome(run: TrainingRun) -> dict[str, Any]:
    """Return how a training ended: registered, rejected or stopped, with the version or the reason."""
    tags = run.tags
    # A training that was cleared and ended otherwise has the tags of both outcomes.
    details = {"registered": ("version",), "rejected": ("rejected_because",)}.get(tags.get("rankloop.outcome", ""), ())
    if "rankloop.outcome" not in tags and run.status == "FAILED":
        return {"outcome": "stopped", "stopped_because": tags["rankloop.stopped_because"]}
    names = ("outcome", *details, "gate", "compared_with")
    return {name: tags[f"rankloop.{name}"] for name in names if f"rankloop.{name}" in tags}
