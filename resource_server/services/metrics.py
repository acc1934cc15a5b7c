"""Prometheus metrics of the gateway's own. Labels come from the catalogue and fixed words, never from a client."""

from functools import lru_cache

from prometheus_client import Counter, Histogram

from resource_server.accounting.record import RequestRecord

REQUESTS = Counter(
    "gateway_requests_total", "Inference requests, by what became of them.", ("operation", "cluster", "status", "code")
)
TOKENS = Counter("gateway_tokens_total", "Tokens, as the frameworks counted them.", ("cluster", "kind"))
DIRECT = Counter("gateway_direct_requests_total", "Answers that came straight from the node that serves.", ("cluster",))
ERRORS = Counter("gateway_errors_total", "Answers in the error envelope, refusals before any work included.", ("code",))
DURATION = Histogram(
    "gateway_request_duration_seconds",
    "From the first byte of the request to the last of the answer.",
    ("operation", "cluster"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)

# `labels()` hashes and locks at each call; the children are few.
_requests = lru_cache(maxsize=4096)(REQUESTS.labels)
_tokens = lru_cache(maxsize=1024)(TOKENS.labels)
_duration = lru_cache(maxsize=1024)(DURATION.labels)


def count_error(code: str) -> None:
    """Count one error by its code, which is one of ``docs/errors.md``."""
    ERRORS.labels(code).inc()


def count_direct(cluster: str) -> None:
    """Count one answer that did not take the way through Globus Compute."""
    DIRECT.labels(cluster).inc()


def count_request(record: RequestRecord) -> None:
    """Count one finished request."""
    _requests(record.operation, record.cluster, str(record.status), record.error_code).inc()
    _duration(record.operation, record.cluster).observe(record.duration_ms / 1000)
    for kind, count in (("prompt", record.prompt_tokens), ("completion", record.completion_tokens)):
        if count:
            _tokens(record.cluster, kind).inc(count)
