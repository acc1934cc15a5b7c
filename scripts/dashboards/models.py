"""Models and clusters: which can answer, how fast they do, and what goes wrong there."""

from scripts.dashboards.overview import name_clusters, quantiles
from scripts.dashboards.panels import STATES, Dashboard, Kind, Panel, Query, Row, Variable, chart, number

_CLUSTER = 'cluster=~"$cluster"'
_TARGET = f'{_CLUSTER}, model=~"$model"'
_MODEL = 'gen_ai_request_model=~"$busy"'


def _count(state: str) -> str:
    targets = f'max by (cluster, framework, model) (gateway_model_state{{state="{state}", {_TARGET}}})'
    return f"count({targets} == 1) or vector(0)"


_STATE_NUMBER = "\nor ".join(
    f'{number} * max by (cluster, framework, model) (gateway_model_state{{state="{state}", {_TARGET}}})'
    for number, state in enumerate(STATES, 1)
)

_NOW = (
    number("Hot", "How many models answer at once?", _count("hot")),
    number("Starting", "How many models are about to?", _count("starting")),
    number("Queued", "How many wait for a cluster's scheduler?", _count("queued")),
    number("Cold", "How many must be started first?", _count("cold")),
    number("Offline", "How many cannot be reached?", _count("offline"), limit=1),
    number("In maintenance", "How many are out of service on purpose?", _count("maintenance")),
)

_STATES = (
    Panel(
        "States",
        "Where did each model stand, and when?",
        (Query(_STATE_NUMBER, "{{model}} on {{cluster}}"),),
        Kind.STATES,
        width=16,
        height=10,
    ),
    Panel(
        "Models",
        "Where does each model stand now?",
        (Query(f"max by (cluster, framework, model, state) (gateway_model_state{{{_TARGET}}} == 1)"),),
        Kind.TABLE,
        width=8,
        height=10,
        columns={"model": "Model", "cluster": "Cluster", "framework": "Framework", "state": "State"},
    ),
)

_SPEED = (
    chart(
        "Time to the first token, by model",
        "Which model lets streams wait? 95 of 100 waited no longer. Only the busiest models have a line of their own.",
        Query(
            "histogram_quantile(0.95, sum by (le, gen_ai_request_model)"
            f" (rate(gen_ai_server_time_to_first_token_seconds_bucket{{{_MODEL}}}[$__rate_interval])))",
            "{{gen_ai_request_model}}",
        ),
        unit="s",
    ),
    chart(
        "Time per output token, by model",
        "Which model writes slowly? The median of its streams.",
        Query(
            "histogram_quantile(0.5, sum by (le, gen_ai_request_model)"
            f" (rate(gen_ai_server_time_per_output_token_seconds_bucket{{{_MODEL}}}[$__rate_interval])))",
            "{{gen_ai_request_model}}",
        ),
        unit="s",
    ),
    chart(
        "How long requests take, by cluster",
        "Which cluster is slow? The longest of 95 of 100.",
        Query(
            name_clusters(
                "histogram_quantile(0.95, sum by (le, cluster)"
                f" (rate(gen_ai_server_request_duration_seconds_bucket{{{_CLUSTER}}}[$__rate_interval])))"
            ),
            "{{cluster}}",
        ),
        unit="s",
    ),
)

_LOAD = (
    chart(
        "Requests at targets",
        "Which targets work?",
        Query(f"sum by (cluster, model) (gateway_target_requests{{{_TARGET}}})", "{{model}} on {{cluster}}"),
        is_stacked=True,
    ),
    chart(
        "Queues at targets",
        "Which targets have more than they take at once?",
        Query(f"sum by (cluster, model) (gateway_target_queue_length{{{_TARGET}}})", "{{model}} on {{cluster}}"),
        is_stacked=True,
    ),
    chart(
        "Waiting for a place",
        "How long did requests queue at targets that were full?",
        *quantiles('gateway_queue_wait_seconds_bucket{reason="full"}'),
        unit="s",
    ),
    chart(
        "Tokens by cluster",
        "How much do the clusters write?",
        Query(
            f'sum by (cluster) (rate(gateway_tokens_total{{kind="completion", {_CLUSTER}}}[$__rate_interval]))',
            "{{cluster}}",
        ),
        is_stacked=True,
        width=12,
    ),
    chart(
        "Straight to the node",
        "How many answers did not take the way through Globus Compute?",
        Query("sum(rate(gateway_direct_requests_total[$__rate_interval])) or vector(0)", "direct"),
        unit="reqps",
        width=12,
    ),
)

_FAILURES = (
    chart(
        "Attempts that failed",
        "What goes wrong at the clusters before an answer begins?",
        Query(
            f"sum by (cluster, reason) (rate(gateway_upstream_failures_total{{{_CLUSTER}}}[$__rate_interval])) > 0",
            "{{cluster}}: {{reason}}",
        ),
        unit="reqps",
    ),
    chart(
        "Moved to another target",
        "How many requests were saved by a second target? The line is of the first one's cluster.",
        Query(f"sum by (cluster) (rate(gateway_failovers_total{{{_CLUSTER}}}[$__rate_interval]))", "{{cluster}}"),
        unit="reqps",
    ),
    chart(
        "Streams that broke",
        "How many answers ended in an error after they had begun?",
        Query(f"sum by (cluster) (rate(gateway_streams_broken_total{{{_CLUSTER}}}[$__rate_interval]))", "{{cluster}}"),
        unit="reqps",
    ),
    chart(
        "Targets left out",
        "Which targets get no requests because they fail?",
        Query(f"max by (cluster, model) (gateway_target_ejected{{{_TARGET}}})", "{{model}} on {{cluster}}"),
        width=12,
    ),
    chart(
        "Age of the clusters' reports",
        "Since when has a cluster not said how its jobs stand? After 600 s its report is not used any more.",
        Query(f"max by (cluster) (gateway_cluster_report_age_seconds{{{_CLUSTER}}})", "{{cluster}}"),
        unit="s",
        limit=600,
        width=12,
    ),
)

_STARTS = (
    Panel(
        "Starts of models",
        "How many starts succeeded in the time shown? Abandoned are those that nobody had to wait for any more.",
        (
            Query(
                f"sum by (cluster, outcome) (increase(gateway_cold_starts_total{{{_CLUSTER}}}[$__range]))",
                "{{cluster}}: {{outcome}}",
            ),
        ),
        Kind.BARS,
        width=12,
    ),
    chart(
        "How long starts take",
        "How long must users wait for a cold model?",
        *quantiles(f"gateway_cold_start_duration_seconds_bucket{{{_CLUSTER}}}"),
        unit="s",
        width=12,
    ),
)

MODELS = Dashboard(
    uid="gateway-models",
    title="Models and clusters",
    question="Which models can answer, how fast are they, and what goes wrong at the clusters?",
    variables=(
        Variable("cluster", "gateway_model_state", "cluster", "Cluster"),
        Variable("model", "gateway_model_state", "model", "Model"),
        Variable("busy", "gen_ai_server_time_to_first_token_seconds_count", "gen_ai_request_model", "Busy model"),
    ),
    rows=(
        Row("Now", _NOW),
        Row("States", _STATES),
        Row("Speed", _SPEED),
        Row("Load", _LOAD),
        Row("Failures", _FAILURES),
        Row("Starts", _STARTS),
    ),
)
