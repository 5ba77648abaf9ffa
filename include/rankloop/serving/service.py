"""What the app serves: the live batch, the ranker and the newest day of features, each replaced when it changes."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from rankloop.calendar import start_of
from rankloop.champions.current import reconcile_aliases
from rankloop.champions.history import champion_number, previous_champion
from rankloop.errors import RankloopError, TransientError
from rankloop.features.joining.store import FeatureStore
from rankloop.mongo import Client
from rankloop.registry.connection import Registry
from rankloop.scoring.lists import list_time
from rankloop.scoring.ranker import ActiveRanker, first_loadable_ranker
from rankloop.serving.feature_cache import DayCache, contents, whole_days
from rankloop.serving.polling import PollingWatcher
from rankloop.settings.serving import ServingSettings
from rankloop.state import actions, rankings
from rankloop.state.rankings import DEFAULT_BUYER, LivePointer, Ranking

log = logging.getLogger(__name__)
MAX_ATTEMPTS = 3
RETRY_S = 30.0
"""How long after a champion could not be loaded it is tried again."""
DAY_INTERVAL_FACTOR = 5
"""A day changes once a day, and polling for it reads the logs of ten tables."""


class NotReadyError(TransientError):
    """The app cannot serve this yet, or not now."""


class NoRankingError(RankloopError):
    """There is no such product in the buyer's ranking."""


@dataclass(frozen=True)
class LiveRanking:
    """A buyer's ranking, and the live batch that it belongs to."""

    live: LivePointer
    ranking: Ranking
    fallback: bool
    """Whether it is the default ranking, for buyers that the batch does not have."""

    @property
    def version(self) -> int | None:
        """The version that ranked it; None for the base ranking."""
        return self.live.version if self.ranking.policy == self.live.policy else None


@dataclass(frozen=True)
class _LoadedRanker:
    ranker: ActiveRanker
    eligible: tuple[int | None, ...]
    """The champion and the previous one, without held-back versions, as they were when the ranker was chosen."""
    loaded_at: float


@dataclass(frozen=True)
class _LoadedDay:
    day: DayCache
    contents: tuple[int, ...]


@dataclass(frozen=True)
class ServingConnections:
    """The connections of the app, opened once when it starts."""

    state: Client
    """Of MongoDB; it may be down when the app starts."""
    state_timeout: Callable[[], AbstractContextManager[None]]
    """Opens a context within which MongoDB has to answer in time."""
    registry: Registry
    features: FeatureStore


class RankingService:
    """Answers what the app is asked, from what its watchers keep up to date."""

    def __init__(self, connections: ServingConnections, options: ServingSettings, list_hour: int) -> None:
        self.options = options
        self._state, self._state_timeout = connections.state, connections.state_timeout
        self._registry = connections.registry
        self._store = connections.features
        self._list_hour = list_hour
        interval_s = options.look_every_s
        self._batches: PollingWatcher[LivePointer] = PollingWatcher("the live batch", self._fetch_live, interval_s)
        self._rankers: PollingWatcher[_LoadedRanker] = PollingWatcher("the champion", self._fetch_ranker, interval_s)
        self._days: PollingWatcher[_LoadedDay] = PollingWatcher(
            "the newest day of features", self._fetch_day, interval_s * DAY_INTERVAL_FACTOR
        )
        self._watchers = (self._batches, self._rankers, self._days)
        self._last_contents: tuple[int, ...] = ()

    def start(self) -> None:
        """Start polling for what to serve."""
        for watcher in self._watchers:
            watcher.start()

    def stop(self) -> None:
        """Stop polling and close the connection."""
        for watcher in self._watchers:
            watcher.stop()
        self._state.close()

    # What is loaded

    @property
    def zone(self) -> ZoneInfo:
        """The market's time zone."""
        return self._store.zone

    @property
    def live(self) -> LivePointer | None:
        """The live batch."""
        return self._batches.value

    @property
    def ranker(self) -> ActiveRanker | None:
        """What ranks lists now; None until it is known."""
        return self._rankers.value.ranker if self._rankers.value else None

    @property
    def day(self) -> DayCache | None:
        """The newest day of features; None until it is loaded."""
        return self._days.value.day if self._days.value else None

    def why_not_ready(self) -> str:
        """Return what keeps the app from serving; empty if nothing does."""
        if self._batches.error:
            return f"the live batch cannot be read: {_without_address(self._batches.error)}"
        if self.live is None:
            return "no batch is live yet: batch_scoring has not published one"
        if self.ranker is None:
            return f"the champion is not known: {_without_address(self._rankers.error)}"
        if self.ranker.model and self.day is None:
            reason = _without_address(self._days.error) or "daily_features has not built a day"
            return f"no features are loaded: {reason}"
        return ""

    def batch_age_s(self, now: datetime) -> float:
        """Return the seconds since the end of the live batch's as-of day; -1 while no batch is live."""
        if self.live is None:
            return -1.0
        return (now - start_of(self.live.day + timedelta(days=1), self.zone)).total_seconds()

    def list_time(self, day: date) -> datetime:
        """Return the time at which a batch as of this day supposes that its lists are shown."""
        return list_time(day, self.zone, self._list_hour)

    # Rankings

    def live_ranking(self, account_id: int) -> LiveRanking:
        """Return a buyer's ranking in the live batch, or the default ranking if the batch does not have this buyer."""
        # While MongoDB is known to be down, no request waits to find that out again.
        if self._batches.error:
            raise NotReadyError(f"the live batch cannot be read: {self._batches.error}")
        live = self.live
        for _ in range(MAX_ATTEMPTS):
            if live is None:
                raise NotReadyError(self.why_not_ready() or "no batch is live; retry")
            with self._state_timeout():
                if ranking := rankings.buyer_ranking(self._state, live.batch, account_id):
                    return LiveRanking(live, ranking, fallback=False)
                if ranking := rankings.buyer_ranking(self._state, live.batch, DEFAULT_BUYER):
                    return LiveRanking(live, ranking, fallback=True)
            # It does not even have the default ranking: it was removed, since another has long been live.
            live = self._batches.poll()
        name = live.batch if live else ""
        raise NotReadyError(f"the batch {name} has no rankings; retry, or see batch_scoring")

    def default_ranking(self, live: LivePointer) -> Ranking | None:
        """Return a batch's ranking for buyers that it does not have: the shop's own."""
        with self._state_timeout():
            return rankings.buyer_ranking(self._state, live.batch, DEFAULT_BUYER)

    # Polling

    def _fetch_live(self, _previous: LivePointer | None) -> LivePointer | None:
        with self._state_timeout():
            return rankings.live_batch(self._state)

    def _fetch_ranker(self, previous: _LoadedRanker | None) -> _LoadedRanker:
        with self._state_timeout():
            entries = reconcile_aliases(self._state, self._registry)
            held = actions.held_versions(self._state)
        eligible = tuple(
            number for number in (champion_number(entries), previous_champion(entries)) if number not in held
        )
        if previous and previous.eligible == eligible:
            is_first_choice = previous.ranker.version == next(iter(eligible), None)
            if is_first_choice or time.monotonic() - previous.loaded_at < RETRY_S:
                return previous
        if previous and previous.ranker.model is None and self.day is None:
            # A model needs features. Until they are loaded, the base ranking continues, which needs none.
            return previous
        ranker = first_loadable_ranker(self._registry, entries, held)
        features = self._store.catalogue.feature_names
        if ranker.model and (unknown := sorted(set(ranker.model.features) - set(features))):
            raise RankloopError(f"{ranker.policy} needs features that do not exist any more: {', '.join(unknown)}")
        for note in ranker.notes:
            log.warning("%s", note)
        if previous is None or previous.ranker.digest != ranker.digest:
            log.info("lists are ranked by %s from now on", ranker.policy)
        return _LoadedRanker(ranker, eligible, time.monotonic())

    def _fetch_day(self, previous: _LoadedDay | None) -> _LoadedDay | None:
        lake = self._store.lake
        now = contents(lake)
        last, self._last_contents = self._last_contents, now
        # While a day is being built, its tables change one after another: wait until two polls find the same.
        if previous and (previous.contents == now or last != now):
            return previous
        days = whole_days(lake)
        if not days:
            return previous
        day = DayCache(self._store, days[0])
        log.info("features as of %s are loaded", days[0])
        return _LoadedDay(day, now)


def _without_address(error: str) -> str:
    """Return the first sentence, without the address of a server: anybody may read `/health`."""
    first = error.partition(". ")[0]
    return "a server does not answer" if "://" in first else first
