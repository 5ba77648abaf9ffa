"""What delta-rs must be told so that neither a file nor an entry of the log goes that some version still needs."""

from collections.abc import Collection, Iterable
from datetime import datetime

from deltalake import DeltaTable, PostCommitHookProperties

KEEP_LOG = {"delta.logRetentionDuration": "interval 3650 days", "delta.enableExpiredLogCleanup": "false"}
"""A version is a training run's data version, so the log that knows it must outlive the run.

Without these delta-rs forgets after 30 days: the commits of a vacuum, and any commit that makes a checkpoint, remove
the log's older entries, and with them every version before the last checkpoint. A checkpoint alone removes none.
"""
CHECKPOINTS = {"delta.checkpointInterval": "10"}
"""Opening a table reads its log from the last checkpoint on; by itself delta-rs makes one in a hundred commits. After
thirty days that was 12 ms, a hundred times a task; so it is 3."""
NO_CLEANUP = PostCommitHookProperties(cleanup_expired_logs=False)
"""Says the same of one commit; a vacuum (delta-rs 1.6) takes it and heeds it not."""


def vacuum(target: DeltaTable, keep_days: int, versions: Collection[int], *, dry_run: bool) -> list[str]:
    """The files, existing or not, that are older than so many days and that none of these versions needs.

    Unless this is a dry run they are removed, which makes two versions of the table, though there be nothing to remove.
    """
    if not dry_run:
        _keep_log(target)
    return target.vacuum(
        keep_days * 24, dry_run, enforce_retention_duration=False, full=True, keep_versions=sorted(versions)
    )


def _keep_log(target: DeltaTable) -> None:
    """Have a table keep its log that was made before tables were told to, or by another program."""
    known = target.metadata().configuration
    if missing := {name: value for name, value in KEEP_LOG.items() if known.get(name) != value}:
        target.alter.set_table_properties(missing)


def newest_since(commits: Iterable[tuple[int, datetime]], moment: datetime) -> set[int]:
    """Of a table's versions, each with its instant, those that were the newest at some time since this moment.

    By itself delta-rs keeps a file that was replaced lately only as long as the log says when that was. A checkpoint
    forgets it after a week, and from then on the file's own age decides, which may be years though a version of
    yesterday had it. So a vacuum is told of these versions, each by its number.
    """
    at = dict(commits)
    first = min((number for number, instant in at.items() if instant >= moment), default=max(at) + 1)
    return {number for number in at if number >= first - 1}
