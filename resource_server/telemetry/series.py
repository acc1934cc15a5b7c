"""Every series of the gateway's own. `docs/metrics.md` is generated from this module.

Names are those of OpenTelemetry's semantic conventions for generative AI where these have one, written as Prometheus
does; their buckets are the recommended ones, continued where requests here take longer than those they were made for.
Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
"""

from resource_server.telemetry.busiest import Busiest
from resource_server.telemetry.kinds import Across, Counter, Gauge, Histogram, Label

MODELS = Busiest("models")
CLUSTERS = Busiest("clusters")

_OPERATION = Label("operation")
_CLUSTER = Label("cluster")
_CODE = Label("code")
_TARGET = (_CLUSTER, Label("framework"), Label("model"))
_GEN_AI_OPERATION = Label("gen_ai_operation_name")
_GEN_AI_MODEL = Label("gen_ai_request_model", busiest=MODELS)
_BUSY_CLUSTER = Label("cluster", busiest=CLUSTERS)

_GLOBUS_OPERATION = Label(
    "operation",
    values=("introspect", "groups", "submit", "find_results", "endpoint_status", "find_result_queues"),
)

_LONG_S = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200)
_CALL_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# Requests

REQUEST_DURATION = Histogram(
    name="gen_ai_server_request_duration_seconds",
    help="Of inference requests, from the first byte received to the last one sent.",
    labels=(_GEN_AI_OPERATION, _BUSY_CLUSTER),
    buckets=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 655.36),
)
TIME_TO_FIRST_TOKEN = Histogram(
    name="gen_ai_server_time_to_first_token_seconds",
    help="Of streams, from the first byte received to the first content sent: queues and starting models included.",
    labels=(_GEN_AI_MODEL,),
    buckets=(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 120, 600),
)
TIME_PER_OUTPUT_TOKEN = Histogram(
    name="gen_ai_server_time_per_output_token_seconds",
    help="Of complete streams, the time from the first content to the end by the tokens after the first.",
    labels=(_GEN_AI_MODEL,),
    buckets=(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5),
)
TOKEN_USAGE = Histogram(
    name="gen_ai_client_token_usage",
    help="Tokens of a request, as the frameworks counted them.",
    labels=(Label("gen_ai_token_type", values=("input", "output")), _GEN_AI_MODEL),
    buckets=(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576),
)
REQUESTS = Counter(
    name="gateway_requests_total",
    help="Finished inference requests, by what became of them; the cluster is empty where none was reached.",
    labels=(_OPERATION, _CLUSTER, Label("status"), _CODE),
)
REQUESTS_IN_PROGRESS = Gauge(name="gateway_requests_in_progress", help="Inference requests that have not ended yet.")
TOKENS = Counter(
    name="gateway_tokens_total",
    help="Tokens, as the frameworks counted them.",
    labels=(_CLUSTER, Label("kind", values=("prompt", "completion"))),
)
ERRORS = Counter(
    name="gateway_errors_total",
    help="Answers in the error envelope on any route, by the code in docs/errors.md.",
    labels=(_CODE,),
)
REFUSALS = Counter(
    name="gateway_refusals_total",
    help="Inference requests that were turned away by the gateway itself; the reason is the error's code.",
    labels=(Label("reason"),),
)
CANCELLATIONS = Counter(
    name="gateway_cancellations_total",
    help="Inference requests whose client left, before or after the answer had begun.",
    labels=(Label("answer", values=("none", "begun")),),
)
DIRECT = Counter(
    name="gateway_direct_requests_total",
    help="Answers that came straight from the node that serves.",
    labels=(_CLUSTER,),
)

# The way to a target

QUEUE_WAIT = Histogram(
    name="gateway_queue_wait_seconds",
    help="Of requests that had to wait: for a place at a target that is hot and full, or held for one that is not hot.",
    labels=(Label("reason", values=("full", "held")),),
    buckets=_LONG_S,
)
COLD_STARTS = Counter(
    name="gateway_cold_starts_total",
    help="Models that this gateway had started, by whether they became hot.",
    labels=(_CLUSTER, Label("outcome", values=("succeeded", "failed", "abandoned"))),
)
COLD_START_DURATION = Histogram(
    name="gateway_cold_start_duration_seconds",
    help="Of models that this gateway had started, from the call to hot.",
    labels=(_BUSY_CLUSTER,),
    buckets=(1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600),
)
UPSTREAM_FAILURES = Counter(
    name="gateway_upstream_failures_total",
    help="Attempts at a target of this cluster that failed before the answer began.",
    labels=(_CLUSTER, Label("reason", values=("unavailable", "broken", "timeout", "saturated", "refused"))),
)
FAILOVERS = Counter(
    name="gateway_failovers_total",
    help="Requests that went on to another target after one of this cluster had failed.",
    labels=(_CLUSTER,),
)
STREAMS_BROKEN = Counter(
    name="gateway_streams_broken_total",
    help="Streams that ended in an error event after the answer had begun.",
    labels=(_CLUSTER,),
)
MODEL_STATE = Gauge(
    name="gateway_model_state",
    help="1 with the state in which the model is; its other states have no series.",
    labels=(*_TARGET, Label("state")),
    across=Across.HERE,
)
TARGET_EJECTED = Gauge(
    name="gateway_target_ejected",
    help="1 while the target is left out because it fails; others have no series. The breaker of each target.",
    labels=_TARGET,
    across=Across.MAX,
)
TARGET_QUEUE_LENGTH = Gauge(
    name="gateway_target_queue_length",
    help="Requests that wait for the target, where any do; the longest queues.",
    labels=_TARGET,
)
TARGET_REQUESTS = Gauge(
    name="gateway_target_requests",
    help="Requests at the target now, where there are any; the busiest targets.",
    labels=_TARGET,
)
CLUSTER_REPORT_AGE = Gauge(
    name="gateway_cluster_report_age_seconds",
    help="Since the cluster's status function answered; nothing where it never has.",
    labels=(_CLUSTER,),
    across=Across.HERE,
)

# Globus

IDENTITY_EVENTS = Counter(
    name="gateway_identity_events_total",
    help="How callers were recognised.",
    labels=(Label("event"),),
)
GLOBUS_CALLS = Counter(
    name="gateway_globus_calls_total",
    help="Calls to Globus by the gateway; refused are those that got an answer of status 400 and above.",
    labels=(_GLOBUS_OPERATION, Label("outcome", values=("answered", "refused", "failed"))),
)
GLOBUS_CALL_DURATION = Histogram(
    name="gateway_globus_call_duration_seconds",
    help="Of calls to Globus, failed ones included.",
    labels=(_GLOBUS_OPERATION,),
    buckets=_CALL_S,
)
GLOBUS_PACING_WAIT = Histogram(
    name="gateway_globus_pacing_wait_seconds",
    help="For a turn at Globus Compute, to submit or to look at status and results; its count is the budget in use.",
    labels=(Label("purpose", values=("submit", "look")),),
    buckets=(0.01, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
GLOBUS_BUDGET = Gauge(
    name="gateway_globus_budget_calls_per_second",
    help="Calls to Globus Compute that the pace allows, all workers together; 0 without a service account.",
    across=Across.MAX,
)
SUBMISSION_QUEUE_LENGTH = Gauge(
    name="gateway_submission_queue_length",
    help="Tasks that wait to be submitted to Globus Compute.",
)
BREAKER_OPEN = Gauge(
    name="gateway_breaker_open",
    help="1 while a service is spared because it fails. Targets have gateway_target_ejected.",
    labels=(Label("service", values=("globus_auth", "globus_groups", "globus_compute")),),
    across=Across.MAX,
)

# Relay

RELAY_STREAMS = Gauge(name="gateway_relay_streams", help="Streams from compute nodes that are open.")
RELAY_MEMORY = Gauge(name="gateway_relay_memory_bytes", help="What compute nodes sent and nobody has read yet.")
RELAY_POSTS = Counter(
    name="gateway_relay_posts_total",
    help="Posts of compute nodes by what they were told; only those that were taken count as delivered.",
    labels=(Label("outcome", values=("taken", "malformed", "forbidden", "ahead", "gone", "too_large", "busy")),),
)

# The process and what it depends on

CATALOGUE_AGE = Gauge(
    name="gateway_catalogue_age_seconds",
    help="Since the database last confirmed the catalogue's snapshot; over 600 the gateway answers 503.",
    across=Across.MAX,
)
DEGRADED = Gauge(
    name="gateway_degraded",
    help="1 while the part is degraded.",
    labels=(Label("part", values=("redis", "accounting")),),
    across=Across.MAX,
)
RECORDS_LOST = Counter(
    name="gateway_records_lost_total",
    help="Records of requests for which there was neither disk nor memory.",
)
SPOOL_SIZE = Gauge(
    name="gateway_spool_bytes",
    help="Records of requests on this machine's disk that are not in the database yet.",
    across=Across.HERE,
)
CONTROLLER_IS_LEADER = Gauge(
    name="gateway_controller_is_leader",
    help="1 where a process asks the clusters for their state; one of all in the installation does.",
    across=Across.MAX,
)
LOOP_LAG = Gauge(
    name="gateway_event_loop_lag_seconds",
    help="The longest that an event loop was late within the last 15 seconds.",
    across=Across.MAX,
)
BACKGROUND_FAILURES = Counter(
    name="gateway_background_failures_total",
    help="Background tasks that ended by an error.",
    labels=(Label("task"),),
)
DRAINING = Gauge(name="gateway_draining", help="Workers that take no new requests and let the running ones end.")
WORKERS = Gauge(name="gateway_workers", help="Workers of this machine that are alive.")

# What is defined above is what is exported: a list beside it could differ.
SERIES = tuple(value for value in list(globals().values()) if isinstance(value, Counter | Gauge | Histogram))
"""All of them, in the order of this module."""
BUSIEST = (MODELS, CLUSTERS)
