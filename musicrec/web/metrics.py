"""What Prometheus reads at /metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts of one server.

    Attributes:
        registry: Where more can be registered.
        tracks: Number of tracks in the library, as it was last read.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("musicrec_requests", "Requests", ["method", "route", "status"], registry=self.registry)
        self._seconds = Histogram(
            "musicrec_request_seconds", "Time to the end of the answer", ["route"], buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.tracks = Gauge("musicrec_library_tracks", "Tracks in the library", registry=self.registry)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            method: Its method.
            route: The path of the endpoint with its parameters by name, "" if there is none.
            status: The HTTP status.
            seconds: How long it took.
        """
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all figures in Prometheus' format."""
        return generate_latest(self.registry)
