"""What the tasks of monitoring call, each with a context of its own, as a task opens one for itself."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rankloop.context import open_context
from rankloop.monitoring.act import actions, incidents
from rankloop.monitoring.measure import concept, drift, estimates, live_results, performance, quality
from rankloop.monitoring.policy import judge
from rankloop.monitoring.report import drift_report
from rankloop.settings import Settings


def _in_a_context(entry: Callable[..., Any]) -> Callable[..., Any]:
    def call(settings: Settings, *arguments: Any, now: datetime | None = None) -> Any:  # noqa: ANN401  (the entry's)
        with open_context(settings, lambda: now or datetime.now(UTC)) as context:
            return entry(context, *arguments)

    return call


measure_concept = _in_a_context(concept.measure_concept)
measure_drift = _in_a_context(drift.measure_drift)
measure_estimates = _in_a_context(estimates.measure_estimates)
measure_live_results = _in_a_context(live_results.measure_live_results)
measure_performance = _in_a_context(performance.measure_performance)
measure_quality = _in_a_context(quality.measure_quality)
make_report = _in_a_context(drift_report.make_report)
judge_market_day = _in_a_context(judge.judge_market_day)
update_incidents = _in_a_context(incidents.update_incidents)
notify_on_call = _in_a_context(incidents.notify_on_call)
choose_action = _in_a_context(actions.choose_action)
retraining_request = _in_a_context(actions.retraining_request)
apply_fallback = _in_a_context(actions.apply_fallback)
