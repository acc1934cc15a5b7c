"""The gateway's inside: its processes, and what they do with Globus, the relay and their own books."""

from scripts.dashboards.overview import quantiles
from scripts.dashboards.panels import Dashboard, Query, Row, chart, number

_JOB = 'job="inference-gateway"'

_NOW = (
    number("Workers", "How many processes serve?", "sum(gateway_workers)", limit=1, is_bad_below=True),
    number("Draining", "How many processes take no new requests?", "sum(gateway_draining)"),
    number(
        "Loop lag",
        "How late was an event loop lately, at most?",
        "max(gateway_event_loop_lag_seconds)",
        unit="s",
        limit=0.25,
    ),
    number(
        "Catalogue's age",
        "Since when has the database not confirmed the catalogue? At 600 s inference ends.",
        "max(gateway_catalogue_age_seconds)",
        unit="s",
        limit=60,
    ),
    number("Parts degraded", "Does the gateway do without a part?", "sum(gateway_degraded)", limit=1),
    number(
        "Records lost",
        "How many records of requests could nowhere be kept in the time shown?",
        "sum(increase(gateway_records_lost_total[$__range]))",
        limit=1,
    ),
)

_PROCESSES = (
    chart(
        "Requests under way",
        "How much is each gateway doing?",
        Query("sum by (instance) (gateway_requests_in_progress)", "{{instance}}"),
    ),
    chart(
        "Processor time",
        "Which process is busy? One process uses one processor at most.",
        Query(f"rate(process_cpu_seconds_total{{{_JOB}}}[$__rate_interval])", "{{instance}} {{pid}}"),
        unit="percentunit",
    ),
    chart(
        "Memory",
        "Does a process grow?",
        Query(f"process_resident_memory_bytes{{{_JOB}}}", "{{instance}} {{pid}}"),
        unit="bytes",
    ),
    chart(
        "Loop lag",
        "Does something block an event loop?",
        Query("max by (instance) (gateway_event_loop_lag_seconds)", "{{instance}}"),
        unit="s",
        limit=0.25,
    ),
    chart(
        "Open files and sockets",
        "How near is a process to the number that it may open?",
        Query(
            f"process_open_fds{{{_JOB}}} / process_max_fds{{{_JOB}}}",
            "{{instance}} {{pid}}",
        ),
        unit="percentunit",
        maximum=1,
    ),
    chart(
        "Clients that left",
        "How many did not wait for their answer's beginning, or for its end?",
        Query("sum by (answer) (rate(gateway_cancellations_total[$__rate_interval]))", "{{answer}}"),
        unit="reqps",
    ),
)

_GLOBUS = (
    chart(
        "Calls to Globus",
        "What does the gateway ask of Globus?",
        Query("sum by (operation) (rate(gateway_globus_calls_total[$__rate_interval]))", "{{operation}}"),
        unit="reqps",
        is_stacked=True,
    ),
    chart(
        "Calls that failed",
        "Which calls are refused, or not answered at all?",
        Query(
            'sum by (operation, outcome) (rate(gateway_globus_calls_total{outcome!="answered"}[$__rate_interval]))',
            "{{operation}}: {{outcome}}",
        ),
        unit="reqps",
    ),
    chart(
        "How long Globus takes",
        "Is Globus fast? 95 of 100 calls were faster than the line.",
        Query(
            "histogram_quantile(0.95, sum by (le, operation)"
            " (rate(gateway_globus_call_duration_seconds_bucket[$__rate_interval])))",
            "{{operation}}",
        ),
        unit="s",
    ),
    chart(
        "Budget of calls to Globus Compute",
        "How much of the pace is in use?",
        Query("sum(rate(gateway_globus_pacing_wait_seconds_count[$__rate_interval]))", "in use"),
        Query("max(gateway_globus_budget_calls_per_second)", "allowed"),
        unit="reqps",
    ),
    chart(
        "Waiting for a turn",
        "How long do calls wait for the pace?",
        *quantiles("gateway_globus_pacing_wait_seconds_bucket"),
        unit="s",
    ),
    chart(
        "Services spared",
        "Which service is not asked because it fails? 1 while it is spared.",
        Query("max by (service) (gateway_breaker_open)", "{{service}}"),
        Query("sum(gateway_submission_queue_length)", "tasks that wait to be submitted"),
    ),
)

_RELAY = (
    chart(
        "Posts of compute nodes",
        "Do compute nodes deliver?",
        Query("sum by (outcome) (rate(gateway_relay_posts_total[$__rate_interval]))", "{{outcome}}"),
        unit="reqps",
    ),
    chart("Streams in the relay", "How many are open?", Query("sum(gateway_relay_streams)", "streams")),
    chart(
        "Unread in the relay",
        "Do clients read as fast as models write?",
        Query("sum(gateway_relay_memory_bytes)", "bytes"),
        unit="bytes",
    ),
)

_BOOKS = (
    chart(
        "Parts degraded",
        "What does the gateway do without?",
        Query("max by (part) (gateway_degraded)", "{{part}}"),
    ),
    chart(
        "Spool",
        "Do records of requests get into the database?",
        Query("sum(gateway_spool_bytes)", "not in the database yet"),
        unit="bytes",
    ),
    chart(
        "Background tasks that failed",
        "Did a task of the gateway's own end by an error?",
        Query("sum(increase(gateway_background_failures_total[$__rate_interval])) or vector(0)", "failures"),
    ),
    chart(
        "Runs of Python's collector",
        "How often does Python look for unused memory?",
        Query(
            f"sum by (generation) (rate(python_gc_collections_total{{{_JOB}}}[$__rate_interval]))",
            "generation {{generation}}",
        ),
        unit="ops",
        width=12,
    ),
    chart(
        "Leads the controllers",
        "Which gateway asks the clusters? None does where run_controller is a process of its own.",
        Query("max by (instance) (gateway_controller_is_leader)", "{{instance}}"),
        width=12,
    ),
)

GATEWAY = Dashboard(
    uid="gateway-internals",
    title="Gateway",
    question="Are the gateway's processes well, and what do they wait for?",
    rows=(
        Row("Now", _NOW),
        Row("Processes", _PROCESSES),
        Row("Globus", _GLOBUS),
        Row("Relay", _RELAY),
        Row("Books", _BOOKS),
    ),
)
