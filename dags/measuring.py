"""The tasks of drift_checks that measure: each writes one day of one table, or says why there is nothing to measure."""

from datetime import timedelta

from airflow.sdk import BaseOperatorLink, task
from airflow.sdk.configuration import conf

from orchestration import market_day
from rankloop.context import open_context


class Page(BaseOperatorLink):
    """A button on a task's page that opens the drift report; greyed out if the task wrote none."""

    name = "Drift report"

    def get_link(self, operator, *, ti_key) -> str:
        """Return the report's address. Airflow asks for it in the worker, once the task instance has ended."""
        if not (made := ti_key.xcom_pull(task_ids=operator.task_id)) or "link" not in made:
            return ""
        return (conf.get("api", "base_url", fallback="") or "").rstrip("/") + made["link"]


@task
def measure_drift(dag_run=None, params=None) -> dict:
    """Compare the day's inputs and scores with those of the reference, on which the champion was judged."""
    from rankloop.monitoring.measure.drift import measure_drift

    with open_context() as context:
        return measure_drift(context, market_day(dag_run, params))


@task
def report(dag_run=None, params=None) -> dict:
    """Write the drift report: each feature on that day beside the reference."""
    from rankloop.monitoring.report.drift_report import make_report

    with open_context() as context:
        return make_report(context, market_day(dag_run, params))


@task
def measure_quality(dag_run=None, params=None) -> dict:
    """Compare the day's data, by source and by column, with the baseline of normal days."""
    from rankloop.monitoring.measure.quality import measure_quality

    with open_context() as context:
        return measure_quality(context, market_day(dag_run, params))


@task
def measure_performance(dag_run=None, params=None) -> dict:
    """Measure how buyers reacted to the rankings of the day before, as all reactions are in by now."""
    from rankloop.monitoring.measure.performance import measure_performance

    with open_context() as context:
        return measure_performance(context, market_day(dag_run, params) - timedelta(days=1))


@task
def measure_estimates(dag_run=None, params=None) -> dict:
    """Estimate how buyers will react to the day's rankings, before all reactions are in."""
    from rankloop.monitoring.measure.estimates import measure_estimates

    with open_context() as context:
        return measure_estimates(context, market_day(dag_run, params))


# It takes longer than any other by far, so it is not to begin last.
@task(priority_weight=10)
def measure_concept(dag_run=None, params=None) -> dict:
    """Measure whether a fresh model would have ranked the day before better than the champion."""
    from rankloop.monitoring.measure.concept import measure_concept

    with open_context() as context:
        return measure_concept(context, market_day(dag_run, params) - timedelta(days=1))


def measured() -> list:
    """Run all measures of a day side by side; the page follows the drift measures, and nothing waits for it."""
    drift, page = measure_drift(), report()
    page.operator.operator_extra_links = (Page(),)
    drift >> page
    return [drift, measure_quality(), measure_performance(), measure_estimates(), measure_concept()]
