"""Remove what nothing needs any more from the lake, the batches and the reports, and keep the lake quick to read.

Each week it joins days that lie in many small files, with the same rows; removes files of the lake that no recent table
version needs, but never one that a registered model was trained on, so that each can be trained again; and removes
batches of rankings that no rollback needs, and old drift reports. No task waits for another, and readers and writers of
a day are not disturbed.
Owner: data platform.
If this fails: disk is used that could be free. Nothing waits, and nothing is wrong with what is there.
Safe to clear: every task, alone and at any time; what was done is not repeated. See docs/runbook.md#lake_maintenance.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from orchestration import DEFAULT_ARGS, MARKET_TZ


@task
def compact() -> dict:
    """Rewrite each day that consists of many small files as one file."""
    from rankloop.context import open_context
    from rankloop.maintenance.tasks import compact_small_files

    with open_context() as context:
        return compact_small_files(context)


@task
def vacuum() -> dict:
    """Remove files of the lake that neither a version of the last days nor a registered model needs."""
    from rankloop.context import open_context
    from rankloop.maintenance.tasks import vacuum_unused_files

    with open_context() as context:
        return vacuum_unused_files(context)


@task(pool="mongo")
def old_batches() -> list:
    """Remove batches of rankings that no rollback needs."""
    from rankloop.context import open_context
    from rankloop.scoring.archive import remove_old_batches

    with open_context() as context:
        return remove_old_batches(context.state, context.registry, context.settings.scoring.keep_batches)


@task
def old_reports() -> list:
    """Remove drift reports that are past their retention."""
    from rankloop.context import open_context
    from rankloop.maintenance.tasks import remove_old_reports

    with open_context() as context:
        return remove_old_reports(context)


@dag(
    # After the night's features and rankings, when the week is over.
    schedule=CronTriggerTimetable("0 5 * * 1", timezone=MARKET_TZ),
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["maintenance"],
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
)
def lake_maintenance() -> None:
    """Four independent tasks."""
    compact()
    vacuum()
    old_batches()
    old_reports()


lake_maintenance()
