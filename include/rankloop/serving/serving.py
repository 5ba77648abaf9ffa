"""What is served now: the live batch, who ranks, and the newest day, each replaced as soon as there is another."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from rankloop.calendar import start_of
from rankloop.champions.current import reconcile_aliases
from rankloop.champions.history import champion_number, previous_champion
from rankloop.errors import RankloopError, TransientError
from rankloop.features.build import lake_of
from rankloop.features.catalogue import feature_names
from rankloop.mongo import lazy_client, mongo_timeout
from rankloop.registry.connection import Registry
from rankloop.scoring.ranker import Ranker, choose_ranker
from rankloop.serving.day import Day, contents, whole_days
from rankloop.serving.watch import Watch
from rankloop.settings import Settings
from rankloop.state import actions, rankings
from rankloop.state.rankings import DEFAULT_BUYER, LivePointer, Ranking

log = logging.getLogger(__name__)
TRIES = 3
RETRY_S = 30.0
"""How long after a champion could not be loaded it is tried again."""
DAYS_LESS_OFTEN = 5
"""A day changes once a day, and looking for it reads the logs of ten tables."""


class NotReadyError(TransientError):
    """What is asked for cannot be served yet, or not now."""


class NoRankingError(RankloopError):
    """Nothing is known of what was asked about."""


@dataclass(frozen=True)
class Shown:
    """A buyer's ranking, and the batch that it is of."""

    live: LivePointer
    ranking: Ranking
    fallback: bool
    """Whether it is the one for buyers that the batch does not know."""

    @property
    def version(self) -> int | None:
        """Of the model that ranked."""
        return self.live.version if self.ranking.policy == self.live.policy else None


@dataclass(frozen=True)
class _Standing:
    ranker: Ranker
    line: tuple[int | None, ...]
    """The champion and the one before it, without those held back, as they were when the ranker was chosen."""
    at: float


@dataclass(frozen=True)
class _Held:
    day: Day
    contents: tuple[int, ...]


class Serving:
    """The one object behind all doors."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._options = settings.serving
        self._client = lazy_client(settings.mongo)
        every = self._options.look_every_s
        self._batches: Watch[LivePointer] = Watch("the live batch", self._find_live, every)
        self._rankers: Watch[_Standing] = Watch("the champion", self._find_ranker, every)
        self._days: Watch[_Held] = Watch("the newest day of features", self._find_day, every * DAYS_LESS_OFTEN)
        self._watches = (self._batches, self._rankers, self._days)
        self._seen: tuple[int, ...] = ()

    def start(self) -> None:
        """Begin to look for what to serve."""
        for watch in self._watches:
            watch.start()

    def end(self) -> None:
        """Let go of everything."""
        for watch in self._watches:
            watch.end()
        self._client.close()

    # What there is

    @property
    def live(self) -> LivePointer | None:
        """The batch that is shown."""
        return self._batches.found

    @property
    def ranker(self) -> Ranker | None:
        """Who ranks lists now; None until that is known."""
        return self._rankers.found.ranker if self._rankers.found else None

    @property
    def day(self) -> Day | None:
        """The newest day of features; None until it is loaded."""
        return self._days.found.day if self._days.found else None

    def why_not_ready(self) -> str:
        """What keeps it from serving; empty if nothing does."""
        if self._batches.trouble:
            return f"the live batch cannot be read: {_shortly(self._batches.trouble)}"
        if self.live is None:
            return "no batch is live yet: batch_scoring has not published one"
        if self.ranker is None:
            return f"the champion is not known: {_shortly(self._rankers.trouble)}"
        if self.ranker.model and self.day is None:
            return f"no features are loaded: {_shortly(self._days.trouble) or 'daily_features has not built a day'}"
        return ""

    def batch_age_s(self, now: datetime) -> float:
        """How long ago the day ended up to which the live batch knows what happened; -1 while none is live."""
        if self.live is None:
            return -1.0
        return (now - start_of(self.live.day + timedelta(days=1), self.settings.zone)).total_seconds()

    # Asking

    def shown(self, account_id: int) -> Shown:
        """What a buyer is shown, of one batch whole."""
        # While MongoDB is known to be away, nobody waits to find that out again.
        if self._batches.trouble:
            raise NotReadyError(f"the live batch cannot be read: {self._batches.trouble}")
        live = self.live
        for _ in range(TRIES):
            if live is None:
                raise NotReadyError(self.why_not_ready() or "no batch is live; ask again")
            with mongo_timeout(self.settings.mongo, self._options.mongo_timeout_s):
                if found := rankings.buyer_ranking(self._client, live.batch, account_id):
                    return Shown(live, found, fallback=False)
                if found := rankings.buyer_ranking(self._client, live.batch, DEFAULT_BUYER):
                    return Shown(live, found, fallback=True)
            # It holds nothing for anybody: it was removed, since another has been live for long.
            live = self._batches.look()
        name = live.batch if live else ""
        raise NotReadyError(f"the batch {name} holds no rankings; ask again, or see batch_scoring")

    def for_anybody(self, live: LivePointer) -> Ranking | None:
        """The shop's own ranking in a batch."""
        with mongo_timeout(self.settings.mongo, self._options.mongo_timeout_s):
            return rankings.buyer_ranking(self._client, live.batch, DEFAULT_BUYER)

    # Looking

    def _find_live(self, _before: LivePointer | None) -> LivePointer | None:
        with mongo_timeout(self.settings.mongo, self._options.mongo_timeout_s):
            return rankings.live_batch(self._client)

    def _find_ranker(self, before: _Standing | None) -> _Standing:
        with mongo_timeout(self.settings.mongo, self._options.mongo_timeout_s):
            entries, held = (
                reconcile_aliases(self._client, Registry(self.settings.mlflow)),
                actions.held_versions(self._client),
            )
        now = tuple(one for one in (champion_number(entries), previous_champion(entries)) if one not in held)
        if before and before.line == now:
            as_wanted = before.ranker.version == next(iter(now), None)
            if as_wanted or time.monotonic() - before.at < RETRY_S:
                return before
        if before and before.ranker.model is None and self.day is None:
            # A model needs features. Until they are loaded, the shop's own ranking goes on, which needs none.
            return before
        ranker = choose_ranker(self.settings)
        if ranker.model and (unknown := sorted(set(ranker.model.features) - set(feature_names()))):
            raise RankloopError(f"{ranker.policy} needs features that there are no more: {', '.join(unknown)}")
        for note in ranker.notes:
            log.warning("%s", note)
        if before is None or before.ranker.digest != ranker.digest:
            log.info("lists are ranked by %s from now on", ranker.policy)
        return _Standing(ranker, now, time.monotonic())

    def _find_day(self, before: _Held | None) -> _Held | None:
        lake = lake_of(self.settings)
        now = contents(lake)
        seen, self._seen = self._seen, now
        # While a day is being built, its tables change one after another: wait until they rest.
        if before and (before.contents == now or seen != now):
            return before
        days = whole_days(lake)
        if not days:
            return before
        made = Day(self.settings, days[0])
        log.info("features as of %s are loaded", days[0])
        return _Held(made, now)


def _shortly(trouble: str) -> str:
    """Its first sentence, without an address of a server: anybody may ask whether we are ready."""
    first = trouble.partition(". ")[0]
    return "a server does not answer" if "://" in first else first
