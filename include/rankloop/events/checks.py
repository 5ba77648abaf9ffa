"""The checks that a day must pass: enough rows, and few bad ones. Each can be accepted for a day, on purpose."""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from statistics import median

from rankloop.contracts.cleaning import DayCheck
from rankloop.contracts.sources import SOURCES
from rankloop.errors import RankloopError
from rankloop.events.summaries import DaySummary, SourceSummary
from rankloop.settings import variable
from rankloop.settings.cleaning import CleaningSettings


class DayRejectedError(RankloopError):
    """A day that must not be built on as it is; a retry would say the same."""

    def __init__(self, check: DayCheck, message: str) -> None:
        super().__init__(message)
        self.check = check


class DayChecks:
    """Pass or reject a day, and note the failed checks that were accepted."""

    def __init__(self, day: date, rules: CleaningSettings, accept: Collection[str] = ()) -> None:
        self._day, self._rules = day, rules
        self._accept = {*accept, *rules.accept.get(day, ())}
        self.accepted: list[str] = []

    def not_empty(self, documents: Mapping[str, int]) -> None:
        """Reject a day on which a source has nothing at all."""
        if empty := sorted(source for source, count in documents.items() if not count):
            self._reject(
                DayCheck.EMPTY_DAY,
                f"{' and '.join(empty)} {self._day}: not one document. Either the shop was closed, or what writes them "
                f"is not running; `rankloop lake days` says how many there were on other days. Once they "
                "are there, clear the extraction of this day",
            )

    def not_small(self, documents: Mapping[str, int], earlier: Collection[DaySummary]) -> None:
        """Reject a day on which a source has far less than is usual for its weekday."""
        for source, count in documents.items():
            usual = [other.sources[source].raw.get("rows", 0) for other in earlier if source in other.sources]
            if SOURCES[source].event and usual and count < self._rules.small_share * median(usual):
                self._reject(
                    DayCheck.SMALL_DAY,
                    f"{source} {self._day}: {_grouped(count)} documents, where the same weekday of the {len(usual)} "
                    f"weeks before had {_grouped(round(median(usual)))} (limit {self._rules.small_share:.0%} of that, "
                    f"{variable('cleaning.small_share')}). Look for what is missing, by hour and by surface, in "
                    f"the shop's {source}; events that arrive later are taken in when the extraction is cleared",
                )

    def not_bad(self, sources: Mapping[str, SourceSummary]) -> None:
        """Reject a day of which too large a share is in quarantine."""
        for source, summary in sources.items():
            validated = summary.rows_in - summary.left_out
            if validated and summary.quarantined > self._rules.bad_share * validated:
                worst = ", ".join(f"{_grouped(count)} {reason}" for reason, count in list(summary.reasons.items())[:3])
                self._reject(
                    DayCheck.BAD_ROWS,
                    f"{source} {self._day}: {_grouped(summary.quarantined)} of {_grouped(validated)} rows are bad "
                    f"(limit {self._rules.bad_share:.1%}, {variable('cleaning.bad_share')}): {worst}. They are in "
                    f'rankloop.quarantine under {{day: "{self._day}", collection: "{source}"}}, each with its field '
                    "and value. Once they are repaired in the shop, clear the extraction of this day",
                )

    def _reject(self, check: DayCheck, message: str) -> None:
        if check in self._accept:
            self.accepted.append(check.value)
            return
        raise DayRejectedError(
            check,
            f"{message}. To accept the day as it is, trigger daily_features with the partition key {self._day} "
            f'and the parameter accept = ["{check}"]; see docs/runbook.md#accept.',
        )


def weeks_before(day: date, weeks: int) -> list[date]:
    """Return the same weekday of that number of weeks before."""
    return [day - timedelta(weeks=number) for number in range(1, weeks + 1)]


def _grouped(count: int) -> str:
    return f"{count:,}".replace(",", " ")
