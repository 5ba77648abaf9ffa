"""How delta-rs is kept from removing a file or a log entry that a version still needs."""

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
"""The same for one commit; a vacuum of delta-rs 1.6 accepts it and ignores it."""


def vacuum_table(target: DeltaTable, keep_days: int, versions: Collection[int], *, dry_run: bool) -> list[str]:
    """Remove the files that are older than `keep_days` days and that none of these versions needs; return their names.

    Some may be gone already. Without a dry run this makes two versions of the table, even if nothing is removed.
    """
    if not dry_run:
        _keep_log(target)
    return target.vacuum(
        keep_days * 24, dry_run, enforce_retention_duration=False, full=True, keep_versions=sorted(versions)
    )


def _keep_log(target: DeltaTable) -> None:
    """Set the retention of the log on a table that was made without it, such as by another program."""
    current = target.metadata().configuration
    if missing := {name: value for name, value in KEEP_LOG.items() if current.get(name) != value}:
        target.alter.set_table_properties(missing)


def versions_newest_since(commits: Iterable[tuple[int, datetime]], moment: datetime) -> set[int]:
    """Return the versions, of these with their times, that were the newest at some time since this moment.

    By itself delta-rs keeps a file that was replaced lately only as long as the log says when that was. A checkpoint
    forgets it after a week, and from then on the file's own age decides, which may be years though a version of
    yesterday had it. So the vacuum is given the numbers of these versions.
    """
    at = dict(commits)
    first = min((number for number, instant in at.items() if instant >= moment), default=max(at) + 1)
    return {number for number in at if number >= first - 1}
