"""Users and tokens: sums from Prometheus, people from the request log, where they belong."""

from scripts.dashboards.panels import Dashboard, Kind, Panel, Query, Row, Source, chart, number

# What the queries say more than once.
_WORDS = {
    "log": "resource_server_requestlog",
    "shown": "$__timeFilter(received_at)",
    "tokens": "COALESCE(prompt_tokens, 0) + COALESCE(completion_tokens, 0)",
    "who": "COALESCE(NULLIF(username, ''), NULLIF(sub, ''), 'nobody known')",
}


def _ask(*lines: str) -> tuple[Query, ...]:
    """SQL for the request log; words in braces are those above."""
    return (Query("\n".join(lines).format_map(_WORDS), source=Source.REQUEST_LOG),)


_NOW = (
    Panel(
        "Users",
        "How many people and programs made requests in the time shown?",
        _ask("SELECT count(DISTINCT sub) AS users FROM {log}", "WHERE {shown} AND sub <> ''"),
        Kind.STAT,
        width=6,
        height=4,
    ),
    number(
        "Tokens read",
        "How many tokens did the models read in the time shown?",
        'sum(increase(gateway_tokens_total{kind="prompt"}[$__range]))',
        width=6,
    ),
    number(
        "Tokens written",
        "How many tokens did the models write in the time shown?",
        'sum(increase(gateway_tokens_total{kind="completion"}[$__range]))',
        width=6,
    ),
    number(
        "Turned away",
        "How many requests did the gateway itself refuse in the time shown?",
        "sum(increase(gateway_refusals_total[$__range])) or vector(0)",
        width=6,
    ),
)

_TOKEN_ROW = (
    chart(
        "Tokens by cluster",
        "Where are tokens read and written?",
        Query("sum by (cluster, kind) (rate(gateway_tokens_total[$__rate_interval]))", "{{cluster}}: {{kind}}"),
        is_stacked=True,
    ),
    chart(
        "Tokens of a request",
        "How long are prompts and answers? Half of them are shorter than the line.",
        Query(
            "histogram_quantile(0.5, sum by (le, gen_ai_token_type)"
            " (rate(gen_ai_client_token_usage_bucket[$__rate_interval])))",
            "{{gen_ai_token_type}}",
        ),
    ),
    Panel(
        "Tokens by model",
        "Which models use the most in the time shown? Beyond the busiest they share one bar.",
        (
            Query(
                "topk(15, sum by (gen_ai_request_model) (increase(gen_ai_client_token_usage_sum[$__range])))",
                "{{gen_ai_request_model}}",
            ),
        ),
        Kind.BARS,
    ),
)

_PEOPLE = (
    Panel(
        "Users",
        "Who uses how much, and whose requests fail?",
        _ask(
            "SELECT {who} AS who, count(*) AS requests,",
            "  COALESCE(sum(prompt_tokens), 0) AS tokens_read, COALESCE(sum(completion_tokens), 0) AS tokens_written,",
            "  count(*) FILTER (WHERE status BETWEEN 400 AND 498) AS refused,",
            "  count(*) FILTER (WHERE status >= 500) AS failed, max(received_at) AS last_seen",
            "FROM {log} WHERE {shown}",
            "GROUP BY 1 ORDER BY sum({tokens}) DESC LIMIT 50",
        ),
        Kind.TABLE,
        width=14,
        height=10,
        columns={
            "who": "User",
            "requests": "Requests",
            "tokens_read": "Tokens read",
            "tokens_written": "Tokens written",
            "refused": "Refused",
            "failed": "Failed",
            "last_seen": "Last request",
        },
    ),
    Panel(
        "Models by users",
        "Which models are used by many?",
        _ask(
            "SELECT model, count(DISTINCT sub) AS users, count(*) AS requests,",
            "  sum({tokens}) AS tokens",
            "FROM {log} WHERE {shown} AND status < 400",
            "GROUP BY 1 ORDER BY 2 DESC, 3 DESC LIMIT 50",
        ),
        Kind.TABLE,
        width=10,
        height=10,
        columns={"model": "Model", "users": "Users", "requests": "Requests", "tokens": "Tokens"},
    ),
    Panel(
        "Tokens by user",
        "Who used how much, and when? The ten that used the most in the time shown.",
        _ask(
            "SELECT $__timeGroupAlias(received_at, $__interval), {who} AS metric, sum({tokens}) AS tokens",
            "FROM {log} WHERE {shown} AND {who} IN (",
            "  SELECT {who} FROM {log} WHERE {shown}",
            "  GROUP BY 1 ORDER BY sum({tokens}) DESC LIMIT 10)",
            "GROUP BY 1, 2 ORDER BY 1",
        ),
        width=24,
        is_stacked=True,
    ),
)

_DOOR = (
    chart(
        "How callers were recognised",
        "Does the gateway know its callers from memory, or must it ask Globus?",
        Query("sum by (event) (rate(gateway_identity_events_total[$__rate_interval]))", "{{event}}"),
        unit="ops",
        width=12,
    ),
    chart(
        "Turned away",
        "Why does the gateway refuse requests?",
        Query("sum by (reason) (rate(gateway_refusals_total[$__rate_interval]))", "{{reason}}"),
        unit="reqps",
        is_stacked=True,
        width=12,
    ),
)

PEOPLE = Dashboard(
    uid="gateway-users",
    title="Users and tokens",
    question="Who uses how much? Prometheus holds sums only; people are read from the request log.",
    rows=(Row("Now", _NOW), Row("Tokens", _TOKEN_ROW), Row("People", _PEOPLE), Row("At the door", _DOOR)),
)
