"""What is counted, as Prometheus reads it; each app counts for itself."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from rankloop.serving.serving import Serving

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
NOT_KNOWN, THE_SHOPS_OWN = -1, 0

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each, of when it began


class Metrics:
    """The figures of one app."""

    def __init__(self, serving: Serving) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "rankloop_serving_requests", "requests answered", ["route", "method", "status"], registry=registry
        )
        self.seconds = Histogram(
            "rankloop_serving_seconds", "how long answers took", ["route"], buckets=SECONDS, registry=registry
        )
        self.fallbacks = Counter(
            "rankloop_serving_fallbacks", "rankings for buyers that the batch does not know", registry=registry
        )
        ready = Gauge("rankloop_serving_ready", "1 if it can serve", registry=registry)
        ready.set_function(lambda: not serving.why_not_ready())
        age = Gauge(
            "rankloop_serving_batch_age_seconds", "since the day ended that the live batch knows of", registry=registry
        )
        age.set_function(lambda: serving.batch_age_s(datetime.now(UTC)))
        champion = Gauge(
            "rankloop_serving_version", "who ranks lists; 0 the shop's own ranking, -1 not known", registry=registry
        )
        champion.set_function(lambda: _version(serving.ranker.version) if serving.ranker else NOT_KNOWN)
        batch = Gauge(
            "rankloop_serving_batch_version", "who ranked the live batch; 0 the shop's own, -1 none", registry=registry
        )
        batch.set_function(lambda: _version(serving.live.version) if serving.live else NOT_KNOWN)

    def page(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self._registry)


def _version(number: int | None) -> int:
    return THE_SHOPS_OWN if number is None else number
