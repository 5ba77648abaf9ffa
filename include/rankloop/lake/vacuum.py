"""What delta-rs must be told so that neither a file nor an entry of the log goes that some version still needs."""

from collections.abc import Collection, Iterable
from datetime import datetime

from deltalake import DeltaTable, PostCommitHookProperties

KEEP_LOG = {"delta.logRetentionDuration": "interval 3650 days"}
"""A version is a training run's data version, so the log that knows it must outlive the run.

Without it delta-rs forgets after 30 days: the commits of a vacuum, and any commit that makes a checkpoint, then remove
the log's older entries, and with them every version before the last checkpoint. Making a checkpoint alone removes none.
"""
NO_CLEANUP = PostCommitHookProperties(cleanup_expired_logs=False)
"""For a table that was made without `KEEP_LOG`, or has lost it."""


def vacuum(target: DeltaTable, keep_days: int, versions: Collection[int], *, dry_run: bool) -> list[str]:
    """The files, existing or not, that are older than so many days and that none of these versions needs.

    Unless this is a dry run they are removed, which makes two versions of the table, though there be nothing to remove.
    """
    return target.vacuum(
        keep_days * 24,
        dry_run,
        enforce_retention_duration=False,
        post_commithook_properties=NO_CLEANUP,
        full=True,
        keep_versions=sorted(versions),
    )


def newest_since(commits: Iterable[tuple[int, datetime]], moment: datetime) -> set[int]:
    """Of a table's versions, each with its instant, those that were the newest at some time since this moment.

    By itself delta-rs keeps a file that was replaced lately only as long as the log says when that was. A checkpoint
    forgets it after a week, and from then on the file's own age decides, which may be years though a version of
    yesterday had it. So a vacuum is told of these versions, each by its number.
    """
    at = dict(commits)
    first = min((number for number, instant in at.items() if instant >= moment), default=max(at) + 1)
    return {number for number in at if number >= first - 1}
