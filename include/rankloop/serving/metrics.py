"""Prometheus metrics of one serving app."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from rankloop.serving.service import RankingService

BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
UNKNOWN_VERSION, BASE_RANKING = -1, 0

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each, with its creation time


class ServingMetrics:
    """The metrics of one app, in a registry of its own."""

    def __init__(self, service: RankingService) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "rankloop_serving_requests", "requests answered", ["route", "method", "status"], registry=registry
        )
        self.seconds = Histogram(
            "rankloop_serving_seconds", "response time", ["route"], buckets=BUCKETS_S, registry=registry
        )
        self.fallbacks = Counter(
            "rankloop_serving_fallbacks", "rankings for buyers that the batch does not have", registry=registry
        )
        ready = Gauge("rankloop_serving_ready", "1 if the app can serve", registry=registry)
        ready.set_function(lambda: not service.why_not_ready())
        age = Gauge(
            "rankloop_serving_batch_age_seconds", "time since the end of the live batch's as-of day", registry=registry
        )
        age.set_function(lambda: service.batch_age_s(datetime.now(UTC)))
        champion = Gauge(
            "rankloop_serving_version", "version that ranks lists; 0 the base ranking, -1 unknown", registry=registry
        )
        champion.set_function(lambda: _version(service.ranker.version) if service.ranker else UNKNOWN_VERSION)
        batch = Gauge(
            "rankloop_serving_batch_version",
            "version that ranked the live batch; 0 the base ranking, -1 no batch",
            registry=registry,
        )
        batch.set_function(lambda: _version(service.live.version) if service.live else UNKNOWN_VERSION)

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)


def _version(number: int | None) -> int:
    return BASE_RANKING if number is None else number
