"""PostgreSQL and Redis: what their exporters measure, and what the gateway asks of PostgreSQL."""

from scripts.dashboards.panels import Dashboard, Query, Row, chart, number

_REAL = 'datname!~"template.*"'


def _rate(metric: str, legend: str) -> Query:
    return Query(f"sum(rate({metric}[$__rate_interval]))", legend)


_POSTGRES_NOW = (
    number("PostgreSQL", "Does PostgreSQL answer its exporter? 1 is yes.", "min(pg_up)", limit=1, is_bad_below=True),
    number(
        "Connections in use",
        "How many of the connections that PostgreSQL allows are taken?",
        "sum by (instance) (pg_stat_database_numbackends) / max by (instance) (pg_settings_max_connections)",
        unit="percentunit",
        limit=0.8,
    ),
    number("Size", "How large are the databases together?", f"sum(pg_database_size_bytes{{{_REAL}}})", unit="bytes"),
    number(
        "Pages found in memory",
        "How often did PostgreSQL not have to ask the disk, since it started?",
        "sum(pg_stat_database_blks_hit) / (sum(pg_stat_database_blks_hit) + sum(pg_stat_database_blks_read))",
        unit="percentunit",
        limit=0.9,
        is_bad_below=True,
    ),
    number(
        "Longest transaction",
        "For how long has the oldest open transaction been open?",
        "max(pg_stat_activity_max_tx_duration)",
        unit="s",
        limit=600,
    ),
    number(
        "Statements that failed",
        "How many statements of the gateway failed in the time shown?",
        "sum(increase(django_db_errors_total[$__range])) or vector(0)",
        limit=1,
    ),
)

_POSTGRES = (
    chart(
        "Transactions",
        "How many transactions end, and how?",
        _rate(f"pg_stat_database_xact_commit{{{_REAL}}}", "committed"),
        _rate(f"pg_stat_database_xact_rollback{{{_REAL}}}", "rolled back"),
        unit="ops",
    ),
    chart(
        "Connections by state",
        "What do PostgreSQL's clients do? Many that are idle in a transaction forget to commit.",
        Query("sum by (state) (pg_stat_activity_count)", "{{state}}"),
        is_stacked=True,
    ),
    chart(
        "Rows",
        "How many rows are read and changed?",
        _rate(f"pg_stat_database_tup_fetched{{{_REAL}}}", "read by index"),
        _rate(f"pg_stat_database_tup_inserted{{{_REAL}}}", "inserted"),
        _rate(f"pg_stat_database_tup_updated{{{_REAL}}}", "updated"),
        _rate(f"pg_stat_database_tup_deleted{{{_REAL}}}", "deleted"),
        unit="ops",
    ),
    chart(
        "The gateway's statements",
        "How many statements does the gateway execute, and how many fail?",
        _rate("django_db_execute_total", "executed"),
        Query("sum(rate(django_db_errors_total[$__rate_interval])) or vector(0)", "failed"),
        unit="ops",
    ),
    chart(
        "How long the gateway's statements take",
        "Is the database fast? Half, and nineteen of twenty, were faster than the lines.",
        *(
            Query(
                f"histogram_quantile({share},"
                " sum by (le) (rate(django_db_query_duration_seconds_bucket[$__rate_interval])))",
                f"{share:.0%}",
            )
            for share in (0.5, 0.95)
        ),
        unit="s",
    ),
    chart(
        "Locks",
        "Which locks are held?",
        Query("sum by (mode) (pg_locks_count)", "{{mode}}"),
    ),
)

_REDIS_NOW = (
    number("Redis", "Does Redis answer its exporter? 1 is yes.", "min(redis_up)", limit=1, is_bad_below=True),
    number("Clients", "How many clients are connected?", "sum(redis_connected_clients)"),
    number("Memory", "How much memory does Redis use?", "sum(redis_memory_used_bytes)", unit="bytes"),
    number("Keys", "How many keys are there?", "sum(redis_db_keys)"),
    number(
        "Keys dropped",
        "How many keys were dropped for want of memory in the time shown?",
        "sum(increase(redis_evicted_keys_total[$__range]))",
        limit=1,
    ),
    number(
        "Keys found",
        "How often was a key there that somebody asked for, since Redis started?",
        "sum(redis_keyspace_hits_total) / (sum(redis_keyspace_hits_total) + sum(redis_keyspace_misses_total))",
        unit="percentunit",
    ),
)

_REDIS = (
    chart(
        "Commands",
        "Which commands does Redis execute most?",
        Query("topk(8, sum by (cmd) (rate(redis_commands_total[$__rate_interval])))", "{{cmd}}"),
        unit="ops",
        is_stacked=True,
    ),
    chart(
        "Time by command",
        "How long does a command take on average?",
        Query(
            "topk(8, sum by (cmd) (rate(redis_commands_duration_seconds_total[$__rate_interval]))"
            " / (sum by (cmd) (rate(redis_commands_total[$__rate_interval])) > 0))",
            "{{cmd}}",
        ),
        unit="s",
    ),
    chart(
        "Redis's memory",
        "Does it grow towards its bound?",
        Query("sum(redis_memory_used_bytes)", "in use"),
        Query("sum(redis_memory_max_bytes) > 0 or sum(redis_memory_used_peak_bytes)", "bound, or the most so far"),
        unit="bytes",
    ),
    chart(
        "Redis's network traffic",
        "How much goes in and out?",
        _rate("redis_net_input_bytes_total", "in"),
        _rate("redis_net_output_bytes_total", "out"),
        unit="Bps",
        width=12,
    ),
    chart(
        "Keys",
        "How many keys are there, and how many end by themselves?",
        Query("sum(redis_db_keys)", "all"),
        Query("sum(redis_db_keys_expiring)", "with an end"),
        width=12,
    ),
)

DATABASE = Dashboard(
    uid="gateway-database",
    title="Database",
    question="Do PostgreSQL and Redis answer, and how busy are they?",
    rows=(
        Row("PostgreSQL now", _POSTGRES_NOW),
        Row("PostgreSQL", _POSTGRES),
        Row("Redis now", _REDIS_NOW),
        Row("Redis", _REDIS),
    ),
)
