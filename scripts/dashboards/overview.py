"""The first look: is the service well, and if not, where to look next?"""

from scripts.dashboards.panels import STATES, Dashboard, Kind, Panel, Query, Row, chart, number

_REQUESTS = "rate(gateway_requests_total[$__rate_interval])"
_FIRST_TOKEN = "gen_ai_server_time_to_first_token_seconds_bucket"  # noqa: S105 - a series

QUANTILES = (0.5, 0.95, 0.99)


def quantiles(bucket: str, by: str = "") -> tuple[Query, ...]:
    """How long half of them took, and nearly all."""
    labels = f"le, {by}" if by else "le"
    suffix = f" {{{{{by}}}}}" if by else ""
    return tuple(
        Query(
            f"histogram_quantile({share}, sum by ({labels}) (rate({bucket}[$__rate_interval])))", f"{share:.0%}{suffix}"
        )
        for share in QUANTILES
    )


def name_clusters(query: str) -> str:
    """The query's series, with a name for those of requests that reached no cluster."""
    return f'label_replace({query}, "cluster", "none reached", "cluster", "")'


_NOW = (
    number("Alerts", "How many alerts fire?", 'count(ALERTS{alertstate="firing"}) or vector(0)', limit=1),
    number("Requests", "How many requests end in a second?", f"sum({_REQUESTS})", unit="reqps"),
    number(
        "Failed",
        "Which part of the requests failed through no fault of the client's?",
        f'(sum(rate(gateway_requests_total{{status=~"5.."}}[$__rate_interval])) or vector(0)) / sum({_REQUESTS})',
        unit="percentunit",
        limit=0.05,
    ),
    number(
        "First token",
        "How long do 95 of 100 streams wait for the first word, at most?",
        f"histogram_quantile(0.95, sum by (le) (rate({_FIRST_TOKEN}[$__rate_interval])))",
        unit="s",
        limit=30,
    ),
    number("Under way", "How many requests have not ended yet?", "sum(gateway_requests_in_progress)"),
    number("Tokens", "How many tokens go in and out in a second?", "sum(rate(gateway_tokens_total[$__rate_interval]))"),
)

_REQUESTS_ROW = (
    chart(
        "Requests by outcome",
        "Do requests succeed? A client that leaves is neither a success nor a failure.",
        *(
            Query(f'sum(rate(gateway_requests_total{{status=~"{status}"}}[$__rate_interval]))', legend)
            for legend, status in (
                ("answered", "2.."),
                ("refused", "4[0-8].|49[0-8]"),
                ("client left", "499"),
                ("failed", "5.."),
            )
        ),
        colours={"answered": "green", "refused": "yellow", "client left": "blue", "failed": "red"},
        unit="reqps",
        is_stacked=True,
    ),
    chart(
        "Errors by code",
        "What do clients hear? The codes are those of docs/errors.md.",
        Query("sum by (code) (rate(gateway_errors_total[$__rate_interval]))", "{{code}}"),
        unit="reqps",
        is_stacked=True,
    ),
    chart(
        "Requests by operation",
        "What is asked for?",
        Query(f"sum by (operation) ({_REQUESTS})", "{{operation}}"),
        unit="reqps",
        is_stacked=True,
    ),
)

_WAITING = (
    chart(
        "How long requests take",
        "From the first byte received to the last one sent.",
        *quantiles("gen_ai_server_request_duration_seconds_bucket"),
        unit="s",
    ),
    chart(
        "Time to the first token", "How long do streams wait for the first word?", *quantiles(_FIRST_TOKEN), unit="s"
    ),
    chart(
        "Waiting",
        "Do requests wait for a place, or for a model that must start first?",
        Query("sum by (reason) (rate(gateway_queue_wait_seconds_count[$__rate_interval]))", "{{reason}}"),
        unit="reqps",
    ),
)

_PLACES = (
    chart(
        "Models by state",
        "How many models can answer at once?",
        Query("count by (state) (max by (cluster, framework, model, state) (gateway_model_state == 1))", "{{state}}"),
        colours=STATES,
        is_stacked=True,
    ),
    chart(
        "Requests by cluster",
        "Where do requests go?",
        Query(name_clusters(f"sum by (cluster) ({_REQUESTS})"), "{{cluster}}"),
        unit="reqps",
        is_stacked=True,
    ),
    chart(
        "Tokens",
        "How much do the models read and write?",
        Query("sum by (kind) (rate(gateway_tokens_total[$__rate_interval]))", "{{kind}}"),
    ),
)

_ALERTS = Panel(
    "Alerts",
    "What needs somebody, or soon will? docs/runbook.md has a section for each.",
    (Query("ALERTS"),),
    Kind.TABLE,
    width=24,
    height=6,
    columns={
        "alertname": "Alert",
        "severity": "Severity",
        "alertstate": "State",
        "instance": "Instance",
        "job": "Job",
        "cluster": "Cluster",
    },
)

OVERVIEW = Dashboard(
    uid="gateway-overview",
    title="Overview",
    question="Is the service well, and if not, where to look next?",
    rows=(
        Row("Now", _NOW),
        Row("Requests", _REQUESTS_ROW),
        Row("Waiting", _WAITING),
        Row("Clusters", _PLACES),
        Row("What needs somebody", (_ALERTS,)),
    ),
)
