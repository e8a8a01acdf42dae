"""What Prometheus reads at /metrics. docs/deployment.md lists the names."""

from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from musicrec.system.version import VERSION

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
_ACTIVE = ("waiting", "running")

disable_created_metrics()  # half of the lines, which nothing here needs


class Metrics:
    """Figures of one server. No label takes a value that a client can invent, so their number is bounded.

    Attributes:
        registry: Where more can be registered.
        tracks: Number of tracks in the library, as it was last read.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "musicrec_http_requests", "Requests", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "musicrec_http_request_duration_seconds", "Time to the end of the answer", ["route"], buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.tracks = Gauge("musicrec_library_tracks", "Tracks in the library", registry=self.registry)
        self._jobs = Gauge("musicrec_jobs", "Jobs that wait or run", ["kind", "state"], registry=self.registry)
        self._ended = Counter("musicrec_jobs_ended", "Jobs that have ended", ["kind", "state"], registry=self.registry)
        self._busy = Gauge("musicrec_uploads_waiting", "Uploads until the end of analysis", registry=self.registry)
        self._kept = Gauge("musicrec_uploads_kept", "Uploads that can be asked about", registry=self.registry)
        build = Gauge("musicrec_build_info", "1; the version is in the label", ["version"], registry=self.registry)
        build.labels(VERSION).set(1)
        ProcessCollector(registry=self.registry)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            method: Its method. Clients may invent any number of them, so unusual ones count as "other".
            route: The path of the endpoint with its parameters by name, "" if there is none.
            status: The HTTP status.
            seconds: How long it took.
        """
        self._requests.labels(method if method in _METHODS else "other", route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def job_ended(self, kind: str, state: str) -> None:
        """Count a job that has ended.

        Args:
            kind: What it did.
            state: "done", "failed" or "cancelled".
        """
        self._ended.labels(kind, state).inc()

    def set_work(self, jobs: Mapping[tuple[str, str], int], *, uploads_waiting: int, uploads_kept: int) -> None:
        """Set what the server has to do now.

        Args:
            jobs: {(kind, state): number of jobs}.
            uploads_waiting: Uploads that are received, wait or are analysed.
            uploads_kept: Uploads that have been analysed and can be asked about.
        """
        for kind in ("analysis", "index", "details"):
            for state in _ACTIVE:
                self._jobs.labels(kind, state).set(jobs.get((kind, state), 0))
        self._busy.set(uploads_waiting)
        self._kept.set(uploads_kept)

    def text(self) -> bytes:
        """Return all figures in Prometheus' format."""
        return generate_latest(self.registry)
