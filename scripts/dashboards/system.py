"""The machines: what the node exporter measures."""

from scripts.dashboards.panels import Dashboard, Query, Row, Variable, chart, number

_HERE = 'instance=~"$machine"'
_DISKS = f'{_HERE}, fstype!~"tmpfs|ramfs|squashfs|iso9660"'
_NETWORK = f'{_HERE}, device!="lo"'

SYSTEM = Dashboard(
    uid="gateway-system",
    title="System",
    question="Have the machines processor time, memory, disk and network left?",
    variables=(Variable("machine", "node_uname_info", "instance", "Machine"),),
    rows=(
        Row(
            "Now",
            (
                number(
                    "Processors busy",
                    "How much of the processors' time is used?",
                    f'1 - avg(rate(node_cpu_seconds_total{{mode="idle", {_HERE}}}[$__rate_interval]))',
                    unit="percentunit",
                    limit=0.9,
                ),
                number(
                    "Memory left",
                    "How much memory could programs still get, where it is the least?",
                    f"min(node_memory_MemAvailable_bytes{{{_HERE}}} / node_memory_MemTotal_bytes{{{_HERE}}})",
                    unit="percentunit",
                    limit=0.1,
                    is_bad_below=True,
                ),
                number(
                    "Disk left",
                    "How much of the fullest disk is free?",
                    f"min(node_filesystem_avail_bytes{{{_DISKS}}} / node_filesystem_size_bytes{{{_DISKS}}})",
                    unit="percentunit",
                    limit=0.15,
                    is_bad_below=True,
                ),
                number(
                    "Load by processor",
                    "How many programs want a processor, for each processor?",
                    f'sum(node_load1{{{_HERE}}}) / count(node_cpu_seconds_total{{mode="idle", {_HERE}}})',
                    limit=1.5,
                ),
                number(
                    "File handles",
                    "How many files and sockets are open?",
                    f"sum(node_filefd_allocated{{{_HERE}}})",
                ),
                number(
                    "Ended for memory",
                    "How many processes did the kernel end for want of memory in the time shown?",
                    f"sum(increase(node_vmstat_oom_kill{{{_HERE}}}[$__range]))",
                    limit=1,
                ),
            ),
        ),
        Row(
            "Processors and memory",
            (
                chart(
                    "Processors by use",
                    "What is the processors' time spent on?",
                    Query(
                        f'sum by (mode) (rate(node_cpu_seconds_total{{mode!="idle", {_HERE}}}[$__rate_interval]))',
                        "{{mode}}",
                    ),
                    is_stacked=True,
                ),
                chart(
                    "Memory",
                    "Where is the memory?",
                    Query(
                        f"sum(node_memory_MemTotal_bytes{{{_HERE}}}) - sum(node_memory_MemAvailable_bytes{{{_HERE}}})",
                        "in use",
                    ),
                    Query(f"sum(node_memory_MemAvailable_bytes{{{_HERE}}})", "available"),
                    unit="bytes",
                    is_stacked=True,
                ),
                chart(
                    "Load",
                    "How many programs run or wait for a processor or a disk?",
                    Query(f"node_load1{{{_HERE}}}", "{{instance}}, 1 min"),
                    Query(f"node_load15{{{_HERE}}}", "{{instance}}, 15 min"),
                ),
            ),
        ),
        Row(
            "Disks and network",
            (
                chart(
                    "Disk left",
                    "Which file system fills up?",
                    Query(
                        f"min by (instance, mountpoint) (node_filesystem_avail_bytes{{{_DISKS}}}"
                        f" / node_filesystem_size_bytes{{{_DISKS}}})",
                        "{{instance}} {{mountpoint}}",
                    ),
                    unit="percentunit",
                    maximum=1,
                ),
                chart(
                    "Disk traffic",
                    "How much is read and written?",
                    Query(f"sum(rate(node_disk_read_bytes_total{{{_HERE}}}[$__rate_interval]))", "read"),
                    Query(f"sum(rate(node_disk_written_bytes_total{{{_HERE}}}[$__rate_interval]))", "written"),
                    unit="Bps",
                ),
                chart(
                    "Network traffic",
                    "How much comes in and goes out?",
                    Query(f"sum(rate(node_network_receive_bytes_total{{{_NETWORK}}}[$__rate_interval]))", "in"),
                    Query(f"sum(rate(node_network_transmit_bytes_total{{{_NETWORK}}}[$__rate_interval]))", "out"),
                    unit="Bps",
                ),
                chart(
                    "Disk busy",
                    "For how much of the time did a disk work?",
                    Query(
                        "sum by (instance, device)"
                        f" (rate(node_disk_io_time_seconds_total{{{_HERE}}}[$__rate_interval]))",
                        "{{instance}} {{device}}",
                    ),
                    unit="percentunit",
                    width=12,
                ),
                chart(
                    "Sockets",
                    "How many TCP connections are open?",
                    Query(f"sum(node_sockstat_TCP_inuse{{{_HERE}}})", "in use"),
                    Query(f"sum(node_sockstat_TCP_tw{{{_HERE}}})", "closing"),
                    width=12,
                ),
            ),
        ),
    ),
)
