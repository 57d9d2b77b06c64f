"""Every metric of the gateway, by name, for Prometheus.

Label sets are bounded: what callers can choose freely (paths, symbols, keys) is never a label, and names that
staff choose (tiers, limits) are folded into `OTHER` beyond `MOST_NAMES`. In a process that a launcher runs
beside others, the values stand in files that all of them share (``PROMETHEUS_MULTIPROC_DIR``), so that
whichever process is asked tells of all.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# When a counter began is told by its process' start.
disable_created_metrics()  # type: ignore[no-untyped-call]

OTHER = "other"
MOST_NAMES = 50

DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES_BYTES = (256, 1024, 4096, 16384, 65536, 262144, 1048576)
SEND_LAGS_MS = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1_000, 2_000, 5_000, 10_000)
LAGS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# HTTP

http_requests = Counter("pgw_http_requests", "Answers over HTTP.", ["method", "route", "status"])
http_errors = Counter(
    "pgw_http_errors",
    "Answers that say that the gateway has failed; not those that say so of an explanation.",
    ["method", "route"],
)
http_request_duration = Histogram(
    "pgw_http_request_duration_seconds",
    "From a complete head of a request to the end of its answer.",
    ["method", "route"],
    buckets=DURATIONS_S,
)
http_request_size = Histogram(
    "pgw_http_request_size_bytes", "Bodies of requests.", ["route"], buckets=SIZES_BYTES
)
http_response_size = Histogram(
    "pgw_http_response_size_bytes", "Bodies of answers, as sent.", ["route"], buckets=SIZES_BYTES
)
http_in_flight = Gauge(
    "pgw_http_requests_in_flight",
    "Requests that wait for their answer, but for those answered at once.",
    multiprocess_mode="livesum",
)
reads = Counter(
    "pgw_reads", "Reads of predictions, by where the newest value came from.", ["route", "source"]
)
django_threads_busy = Gauge(
    "pgw_django_threads_busy", "Threads of Django that answer a request.", multiprocess_mode="livesum"
)
django_requests_waiting = Gauge(
    "pgw_django_requests_waiting", "Requests that wait for a thread of Django.", multiprocess_mode="livesum"
)

# Callers

limit_decisions = Counter(
    "pgw_limit_decisions",
    "Calls of callers with limits; `policy` is the limit that refused.",
    ["tier", "policy", "decision"],
)
limit_fallbacks = Counter(
    "pgw_limit_fallbacks", "Calls whose limits could not be asked in Redis, by what was done.", ["choice"]
)
authentications = Counter("pgw_authentications", "Callers by what they brought.", ["kind", "outcome"])
authentication_failures = Counter(
    "pgw_authentication_failures", "Refused credentials and missing scopes.", ["reason"]
)

# Sockets

sockets = Gauge("pgw_sockets", "Open WebSockets.", multiprocess_mode="livesum")
subscriptions = Gauge("pgw_subscriptions", "Symbols, summed over the sockets.", multiprocess_mode="livesum")
socket_updates_sent = Counter("pgw_socket_updates_sent", "Updates written to sockets.")
socket_updates_dropped = Counter(
    "pgw_socket_updates_dropped", "Updates that slow sockets did not get and will not get."
)
socket_updates_waiting = Gauge(
    "pgw_socket_updates_waiting", "Updates in the buffers of all sockets.", multiprocess_mode="livesum"
)
socket_closes = Counter("pgw_socket_closes", "Sockets that were closed by the gateway, by code.", ["code"])
publish_to_send = Histogram(
    "pgw_publish_to_send_seconds",
    "From a prediction's arrival in JetStream to its being written to a socket.",
    buckets=[bound_ms / 1000 for bound_ms in SEND_LAGS_MS],
)
hub_is_current = Gauge(
    "pgw_hub_is_current",
    "1 while a process hears a bridge and has missed nothing; the least of the processes.",
    multiprocess_mode="livemin",
)
hub_gaps = Counter("pgw_hub_gaps", "Times that a process has read from the record what it may have missed.")

# Bridge

bridge_events = Counter("pgw_bridge_events", "Messages of the pipeline.", ["outcome"])
bridge_batches = Counter("pgw_bridge_batches", "Batches that were recorded and told.")
bridge_batch_events = Histogram(
    "pgw_bridge_batch_events", "Messages in a batch.", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
)
bridge_lag = Histogram(
    "pgw_bridge_lag_seconds", "From a prediction's arrival in JetStream to its being told.", buckets=LAGS_S
)
bridge_waiting = Gauge(
    "pgw_bridge_waiting_messages",
    "Messages that JetStream has not delivered yet.",
    multiprocess_mode="livemax",
)
bridge_redeliveries = Counter("pgw_bridge_redeliveries", "Messages that were delivered more than once.")
outcomes_settled = Counter("pgw_outcomes_settled", "Predictions of which it became known what came of them.")
outcomes_passed_over = Counter(
    "pgw_outcomes_passed_over", "Messages by which nobody was settled, for it would have taken too long."
)
outcomes_waiting = Gauge(
    "pgw_outcomes_waiting_messages",
    "Recorded messages whose predictions are not looked at for their outcomes yet.",
    multiprocess_mode="livemax",
)
dead_letters = Gauge(
    "pgw_dead_letters", "Messages that did not fit, and wait for staff.", multiprocess_mode="livemax"
)

# Explanations

jobs = Gauge("pgw_jobs", "Computations that have not ended.", ["state"], multiprocess_mode="livemax")
jobs_ended = Counter("pgw_jobs_ended", "Jobs that have ended.", ["outcome", "depth"])
job_duration = Histogram(
    "pgw_job_duration_seconds",
    "From the acceptance of an order to its end.",
    ["depth"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
outbox_oldest = Gauge(
    "pgw_outbox_oldest_seconds",
    "Age of the oldest promise that is not published.",
    multiprocess_mode="livemax",
)
outbox_rows = Gauge("pgw_outbox_rows", "Promises that are not published.", multiprocess_mode="livemax")

# The process and what it depends on

pool_connections = Gauge(
    "pgw_database_pool_connections", "Connections to Postgres.", ["state"], multiprocess_mode="livesum"
)
pool_waiting = Gauge(
    "pgw_database_pool_waiting",
    "Threads that wait for a connection to Postgres.",
    multiprocess_mode="livesum",
)
event_loop_delay = Histogram(
    "pgw_event_loop_delay_seconds",
    "How late the event loop is with what is due.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
dependency_up = Gauge("pgw_dependency_up", "1 while it answers.", ["dependency"], multiprocess_mode="livemin")
dependency_latency = Gauge(
    "pgw_dependency_latency_seconds",
    "How long its last answer took.",
    ["dependency"],
    multiprocess_mode="livemax",
)
build_info = Gauge("pgw_build_info", "1.", ["version", "commit"], multiprocess_mode="livemax")
certificate_expires = Gauge(
    "pgw_certificate_expires_seconds",
    "When the certificate of TLS_CERTIFICATE ends, in seconds since 1970.",
    ["file"],
    multiprocess_mode="livemin",
)
disk_free = Gauge("pgw_disk_free_bytes", "Free bytes of the disk with DATA_DIR.", multiprocess_mode="livemax")
disk_size = Gauge("pgw_disk_size_bytes", "Bytes of the disk with DATA_DIR.", multiprocess_mode="livemax")
# The library's own process_* are of the process that is asked alone.
resident_memory = Gauge(
    "pgw_process_resident_memory_bytes", "Memory of each process.", multiprocess_mode="liveall"
)
open_files = Gauge("pgw_process_open_files", "Descriptors of each process.", multiprocess_mode="liveall")
most_files = Gauge(
    "pgw_process_most_files", "Descriptors that each process may have.", multiprocess_mode="liveall"
)
cpu_seconds = Gauge(
    "pgw_process_cpu_seconds", "CPU that each process has used since its start.", multiprocess_mode="liveall"
)
started = Gauge(
    "pgw_process_start_time_seconds",
    "When each process began, in seconds since 1970.",
    multiprocess_mode="liveall",
)


# What is counted from the start on is seen when it is counted for the first time.
for _outcome in ("stored", "repeated", "buried"):
    bridge_events.labels(_outcome)
for _choice in ("open", "closed", "local"):
    limit_fallbacks.labels(_choice)


class Names:
    """Names that staff choose, as label values: the first `MOST_NAMES` as they are, all others `OTHER`."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def fold(self, name: str) -> str:
        """The label value of `name`."""
        if name in self._known:
            return name
        if len(self._known) >= MOST_NAMES:
            return OTHER
        self._known.add(name)
        return name


def add_to(histogram: Histogram, counts: Sequence[int], total: float) -> None:
    """Add observations that were counted elsewhere.

    `counts` has one number for each bucket of `histogram`, the unbounded one last, not cumulated; `total` is
    the sum of what was observed. The library takes one observation at a time, which costs a read of a hot
    value ten times what the counting does.
    """
    buckets = histogram._buckets
    if len(counts) != len(buckets):
        raise ValueError(f"{len(counts)} counts for {len(buckets)} buckets")
    for bucket, count in zip(buckets, counts, strict=True):
        if count:
            bucket.inc(count)
    histogram._sum.inc(total)
