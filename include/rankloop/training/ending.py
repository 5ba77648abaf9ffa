"""How a training ends: with a registered challenger, or with the reason why there is none."""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

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
from rankloop.registry.connection import Registry
from rankloop.settings import Settings
from rankloop.training import record
from rankloop.training.record import Training, open_record
from rankloop.training.step import step

REFERENCE_ROWS = 100_000


class RejectedError(RankloopError):
    """What the gate rejected is not registered."""


@step
def register_challenger(settings: Settings, run_id: str) -> int:
    """Register the model as a version and the challenger, with its evidence; the number of the version.

    Refuses what the gate rejected, whoever asks.
    """
    training = open_record(settings, run_id)
    result = _result(training)
    if not result.passed:
        raise RejectedError(f"run {run_id} is not registered. {_reasons(result)}")
    _keep_reference(training)
    run, data = training.run, training.run.get_json(record.DATA)
    standing = run.get_json(record.STANDING)
    facts = versions.Facts(
        as_of=training.as_of,
        data_versions=data["versions"],
        gate=result.verdict,
        card=record.CARD,
        more={
            "reason": training.reason,
            "data_digest": data["digest"],
            "champion_compared": standing["version"] or "base_score",
            "champion_digest": standing["digest"] or "",
        },
    )
    number = versions.register(Registry(settings.mlflow), run, run.tags["rankloop.model_digest"], facts)
    run.tag(outcome="registered", version=number)
    run.finish()
    return number


@step
def record_rejection(settings: Settings, run_id: str) -> str:
    """Note that nobody is asked, by which rules and figures; the verdict."""
    training = open_record(settings, run_id)
    reasons = _reasons(_result(training))
    for earlier in versions.versions(Registry(settings.mlflow)):
        # What was registered before this training was cleared and came to another end, nobody shall be asked about.
        if earlier.run_id == run_id and earlier.lifecycle == "Staging":
            retire(Registry(settings.mlflow), earlier.number)
    training.run.tag(outcome="rejected", rejected_because=reasons)
    training.run.finish()
    return reasons


def _result(training: Training) -> GateResult:
    training.refuse_other_model(record.MEASURED, record.COMPARED_MODEL, record.JUDGED)
    return GateResult.from_json(training.run.get_text(record.GATE))


def _reasons(result: GateResult) -> str:
    return "\n".join([result.verdict, *(rule.sentence for rule in result.failures)])


def _keep_reference(training: Training) -> None:
    """A sample of what the model was judged on, features and scores: drift is measured against it.

    About so many rows, by a hash of list and product: every n-th row would be of the same few positions.
    """
    model, data = training.model(), training.data
    told = [*dict.fromkeys([*KEYS, "account_id", "policy", *model.features, "base_score", "weight"])]
    share, kept = min(1.0, REFERENCE_ROWS / max(sum(data.rows(name) for name in training.tests), 1)), []
    for name in training.tests:
        for day, batch in data.batches(name, told):
            some = batch.filter(pa.array(row_draws(batch) <= share * 2.0**64))
            kept.append(_as_reference(training, model, day, some))
    with TemporaryDirectory() as folder:
        pq.write_table(pa.Table.from_batches(kept), Path(folder) / "reference.parquet", compression="zstd")
        training.run.put_file(record.REFERENCE, Path(folder) / "reference.parquet")


def _as_reference(training: Training, model: Model, day: date, rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows without whose they are, but with all that says what they may be compared with."""
    control = is_control(rows["account_id"].to_numpy(), training.settings.experiment.control_share)
    facts = {
        DAY: pa.array([day] * rows.num_rows, pa.date32()),
        "shops_own": pc.equal(rows["policy"], BASE_POLICY),
        "control": pa.array(control),
        "buyer_group": pa.array(buyer_groups(rows["account_id"])),
        OURS: pa.array(model.score(rows)),
    }
    told = {name: rows[name] for name in (*model.features, "base_score", "weight")}
    return pa.RecordBatch.from_pydict({**told, **facts})


def outcome(settings: Settings, run_id: str) -> dict[str, Any]:
    """How the training with this run ended, for whoever shows it."""
    training = open_record(settings, run_id)
    tags = training.tags
    # A training that was cleared and ended otherwise has the tags of both endings.
    told = {"registered": ("version",), "rejected": ("rejected_because",)}.get(tags.get("rankloop.outcome", ""), ())
    if "rankloop.outcome" not in tags and training.run.status == "FAILED":
        return {"outcome": "stopped", "stopped_because": tags["rankloop.stopped_because"]}
    names = ("outcome", *told, "gate", "compared_with")
    return {name: tags[f"rankloop.{name}"] for name in names if f"rankloop.{name}" in tags}
