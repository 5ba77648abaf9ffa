"""What stops a day: too little of it, or too much of it wrong. Each can be let through for a day, on purpose."""

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
    """A day that must not be built on as it is; time does not mend it."""

    def __init__(self, check: DayCheck, message: str) -> None:
        super().__init__(message)
        self.check = check


class DayChecks:
    """Lets a day pass or stops it, and remembers what it let pass only because somebody said so."""

    def __init__(self, day: date, rules: CleaningSettings, accept: Collection[str] = ()) -> None:
        self._day, self._rules = day, rules
        self._accept = {*accept, *rules.accept.get(day, ())}
        self.accepted: list[str] = []

    def not_empty(self, documents: Mapping[str, int]) -> None:
        """Stop a day on which a source has nothing at all."""
        if empty := sorted(source for source, count in documents.items() if not count):
            self._stop(
                DayCheck.EMPTY_DAY,
                f"{' and '.join(empty)} {self._day}: not one document. Either the shop was closed, or what writes them "
                f"into MongoDB is not running; `rankloop lake days` says how many there were on other days. Once they "
                "are there, clear the extraction of this day",
            )

    def not_small(self, documents: Mapping[str, int], earlier: Collection[DaySummary]) -> None:
        """Stop a day on which a source has far less than is usual for its weekday."""
        for source, count in documents.items():
            usual = [facts.sources[source].raw.get("rows", 0) for facts in earlier if source in facts.sources]
            if SOURCES[source].event and usual and count < self._rules.small_share * median(usual):
                self._stop(
                    DayCheck.SMALL_DAY,
                    f"{source} {self._day}: {_said(count)} documents, where the same weekday of the {len(usual)} "
                    f"weeks before had {_said(round(median(usual)))} (limit {self._rules.small_share:.0%} of that, "
                    f"{variable('cleaning.small_share')}). Look for what is missing, by hour and by surface, in "
                    f"marketplace.{source}; events that arrive later are taken in when the extraction is cleared",
                )

    def not_bad(self, sources: Mapping[str, SourceSummary]) -> None:
        """Stop a day of which too large a share is in quarantine."""
        for source, facts in sources.items():
            judged = facts.rows_in - facts.left_out
            if judged and facts.quarantined > self._rules.bad_share * judged:
                worst = ", ".join(f"{_said(count)} {reason}" for reason, count in list(facts.reasons.items())[:3])
                self._stop(
                    DayCheck.BAD_ROWS,
                    f"{source} {self._day}: {_said(facts.quarantined)} of {_said(judged)} rows are bad "
                    f"(limit {self._rules.bad_share:.1%}, {variable('cleaning.bad_share')}): {worst}. They are in "
                    f'rankloop.quarantine under {{day: "{self._day}", collection: "{source}"}}, each with its field '
                    "and value. Once they are mended in MongoDB, clear the extraction of this day",
                )

    def _stop(self, check: DayCheck, message: str) -> None:
        if check in self._accept:
            self.accepted.append(check.value)
            return
        raise DayRejectedError(
            check,
            f"{message}. To let the day through as it is, trigger daily_features with the partition key {self._day} "
            f'and the parameter accept = ["{check}"]; see docs/runbook.md#accept.',
        )


def weeks_before(day: date, weeks: int) -> list[date]:
    """The same weekday of so many weeks before."""
    return [day - timedelta(weeks=number) for number in range(1, weeks + 1)]


def _said(count: int) -> str:
    return f"{count:,}".replace(",", " ")
