"""The lists that a version was evaluated on when it was trained, as far as live days can be compared with them."""

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from rankloop.context import Context
from rankloop.contracts.marketplace import BASE_POLICY
from rankloop.lake.tables import LakeError
from rankloop.ranking.scored import ScoredLists
from rankloop.registry import versions
from rankloop.training import record
from rankloop.training.record import TrainingRecord, open_record

log = logging.getLogger(__name__)


def training_of_version(context: Context, number: int) -> TrainingRecord:
    """Return the record of the training that a version comes from."""
    return open_record(context.registry, context.lake, versions.version(context.registry, number).run_id)


def expected_lists(training: TrainingRecord, number: int) -> ScoredLists | None:
    """Return the test lists of a version's training that the shop had ranked, with its scores; None if they are gone.

    Its evaluation is over all test lists. Once our rankings are shown, some of those are in an order of ours, and a
    figure over both kinds would promise what the shop's lists alone cannot hold.
    """
    if not training.run.has(record.SCORED):
        return None
    try:
        names = _of_the_shop(training)
    except LakeError as error:
        # Old versions of tables are removed some day; what has no promise left is measured all the same.
        log.warning("version %s: its test lists cannot be told from the others any more: %s", number, error)
        return None
    lists = training.scored().of_sets(*training.tests)
    found = lists.take(np.isin(lists.of_list("request_id").astype(str), names))
    return found if len(found) else None


def _of_the_shop(training: TrainingRecord) -> npt.NDArray[Any]:
    """Return the request ids of the test lists that the shop ranked itself, sorted."""
    names: set[str] = set()
    for name in training.tests:
        for _, batch in training.data.batches(name, ["request_id", "policy"]):
            policy = batch["policy"].to_numpy(zero_copy_only=False)
            names.update(batch["request_id"].to_numpy(zero_copy_only=False)[policy == BASE_POLICY])
    return np.array(sorted(names), dtype=str)
