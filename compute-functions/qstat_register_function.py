"""The status function of a PBS cluster: its jobs with the models they serve, and its free nodes.

`python qstat_register_function.py` registers the text of this whole file with Globus Compute. A worker executes
that text in an empty namespace and calls `qstat_status_function`, without arguments: so that uses the standard
library alone, works from Python 3.9 on, and keeps nothing between calls. What jobs and the endpoint's environment tell
it: compute-functions/README.md.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import pathlib
import pwd
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

# What may still come to serve; every other state (E, F, H, M, S, U, X, or one yet unknown) is among the others.
GROUPS = {"R": "running", "B": "running", "Q": "queued", "W": "queued", "T": "queued"}
HOST = re.compile(r"\(*([A-Za-z0-9][A-Za-z0-9._-]{0,250})")


def qstat_status_function() -> str:
    """The cluster's status as JSON text, whatever the scheduler does: one `qstat` and one `pbsnodes`."""
    return build_report(list_jobs, count_free_nodes)


def list_jobs() -> list[Job]:
    """The jobs of the users who are shown; an array's elements, or it while none is told of. Raises `Failure`."""
    users, records = list_users(), read_records(["qstat", "-f", "-t"], "Jobs", r"Job Id: *(\S+)")
    arrays = {job_id.partition("[")[0] for job_id in records if re.search(r"\[\d+\]", job_id)}
    return [
        parse_job(job_id, attributes)
        for job_id, attributes in records.items()
        if not ("[]" in job_id and job_id.partition("[")[0] in arrays)
        and (not users or attributes.get("Job_Owner", "").partition("@")[0] in users)
    ]


def count_free_nodes() -> int:
    """How many nodes are up and empty. Raises `Failure`."""
    nodes = read_records(["pbsnodes", "-a"], "nodes", r"(\S+)").values()
    return sum(node.get("state") == "free" and not node.get("jobs") for node in nodes)


def parse_job(job_id: str, attributes: dict[str, str]) -> Job:
    """A job from what PBS tells of it; any attribute may be missing, or new."""
    state = attributes.get("job_state", "")
    group = GROUPS.get(state, "others")
    limit_s = parse_duration_s(attributes.get("Resource_List.walltime", ""))
    used_s = parse_duration_s(attributes.get("resources_used.walltime", ""))
    nodes = attributes.get("Resource_List.nodect", "")
    start = attributes.get("estimated.start_time") or attributes.get("Execution_Time", "")
    output = attributes.get("Output_Path", "").partition(":")[2]  # host:path
    host = HOST.match(attributes.get("exec_host") or attributes.get("exec_vnode", ""))
    return Job(
        job_id=job_id,
        group=group,
        state=state,
        name=attributes.get("Job_Name", ""),
        notes=read_notes(attributes),
        host=host[1] if host else "",
        nodes=int(nodes) if re.fullmatch(r"\d{1,9}", nodes) else 0,
        comment=attributes.get("comment", ""),
        used_s=used_s,
        left_s=None if limit_s is None else max(0, limit_s - (used_s or 0)),
        start_at=parse_time(start) if group == "queued" else None,
        logs=[output, f"{output}/{job_id}.OU"],  # in a folder the job's id is the name
    )


def read_notes(attributes: dict[str, str]) -> dict[str, str]:
    """What a job says of itself: in its variables, and where they are hidden in the arguments of `qsub`."""
    notes = parse_notes(attributes.get("Submit_arguments", ""))
    # As text the variables are one list, whose commas inside of values are escaped.
    variables = re.findall(r"\b(INFERENCE_[A-Z_]+)=((?:\\.|(?!,\w+=)[^\\])*)", attributes.get("Variable_List", ""))
    prefix = "Variable_List.INFERENCE_"
    named = [(name[14:], value) for name, value in attributes.items() if name.startswith(prefix)]
    return {**notes, **{name: re.sub(r"\\(.)", r"\1", value).strip("'\" ") for name, value in [*variables, *named]}}


def read_records(command: list[str], member: str, heading: str) -> dict[str, dict[str, str]]:
    """Attributes by id, as ``name`` or ``name.resource``; from text where JSON is not valid. Raises `Failure`."""
    text = run([*command, "-F", "json"])
    if not text.strip():
        return {}
    try:
        document = json.loads(text, strict=False)
    except (ValueError, RecursionError):  # PBS does not escape all that users may write into a job
        return parse_records(run(command), heading)
    if not isinstance(document, dict) or "timestamp" not in document:
        raise Failure(f"{command[0]} printed something else than a status")
    records = document.get(member) or {}
    return {key: flatten(value) for key, value in records.items() if isinstance(value, dict)}


def flatten(attributes: dict[str, Any]) -> dict[str, str]:
    """Attributes as text, with their resources beside them; what is null is left out."""
    flat: dict[str, str] = {}
    for name, value in attributes.items():
        inner = {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {name: value}
        flat.update({key: str(item) for key, item in inner.items() if item is not None})
    return flat


def parse_records(text: str, heading: str) -> dict[str, dict[str, str]]:
    """The same from text; a line that is no heading and no attribute continues the one above. Raises `Failure`."""
    records: dict[str, dict[str, str]] = {}
    record, name = dict[str, str](), ""
    for line in text.splitlines():
        head, attribute = re.fullmatch(heading, line), re.fullmatch(r" +([\w.]+) = ?(.*)", line)
        if head:
            record, name = records.setdefault(head[1], {}), ""
        elif attribute:
            name = attribute[1]
            record[name] = attribute[2]
        elif name:
            record[name] += line.lstrip("\t")
    if text.strip() and not any(records.values()):
        raise Failure("the scheduler printed neither JSON nor records")
    return records


# From here to the registration both status functions hold the same text, for each must be whole; a test compares them.

SECTIONS = ("running", "queued", "others", "private-batch-running", "private-batch-queued")
MARKER = b"All models started successfully."
JOBS, MODELS, TEXT_CHARS = 500, 50, 300
RESULT_BYTES, OUTPUT_BYTES, LOG_BYTES, CHUNK_BYTES = 1_000_000, 64_000_000, 16_000_000, 1_000_000
SCHEDULER_TIMEOUT_S, HEALTH_TIMEOUT_S, READY_TIMEOUT_S, PROBES = 20, 2.0, 8.0, 64


class Failure(Exception):
    """Why something could not be learned of the scheduler."""


class Job(NamedTuple):
    """What a scheduler says of a job. `group` is running, queued or others; `None` is what it does not say."""

    job_id: str
    group: str
    state: str
    name: str
    notes: dict[str, str]  # the INFERENCE_… values that the job carries
    host: str
    nodes: int
    comment: str
    used_s: int | None
    left_s: int | None
    start_at: float | None  # expected, POSIX seconds
    logs: list[str]

    @property
    def batch_id(self) -> str:
        """The batch that the job runs; empty for a job that serves."""
        return self.notes.get("INFERENCE_BATCH_ID", "")

    def note(self, name: str, default: str = "") -> str:
        """What the job says itself, else the endpoint's environment, else `default`."""
        return self.notes.get(name) or os.environ.get(name) or default


def build_report(list_jobs: Callable[[], list[Job]], count_free_nodes: Callable[[], int]) -> str:
    """The status as JSON text. An ``error`` at the top says that the jobs are unknown, not that there are none."""
    cluster_status: dict[str, Any] = {"free_nodes": None}
    document: dict[str, Any] = {**{section: [] for section in SECTIONS}, "cluster_status": cluster_status}
    try:
        cluster_status["free_nodes"] = count_free_nodes()
    except Failure as failure:
        cluster_status["error"] = clean(failure)
    try:
        add_jobs(document, list_jobs())
    except Failure as failure:
        document["error"] = clean(failure)
    return json.dumps(document)


def add_jobs(document: dict[str, Any], jobs: list[Job]) -> None:
    """Describe the jobs in their sections, running ones first, as many as fit; ``left_out`` counts the others."""
    kept = sorted(jobs, key=lambda job: SECTIONS.index(job.group))[:JOBS]
    ready = find_ready([job for job in kept if job.group == "running"])
    left_bytes, left_out = RESULT_BYTES - 10_000, len(jobs)
    for job in kept:
        entry = describe(job, is_ready=job.job_id in ready)
        left_bytes -= len(json.dumps(entry)) + 2
        if left_bytes < 0:
            break
        document[f"private-batch-{job.group}" if job.batch_id and job.group != "others" else job.group].append(entry)
        left_out -= 1
    if left_out:
        document["left_out"] = left_out


def describe(job: Job, *, is_ready: bool) -> dict[str, Any]:
    """A job's entry."""
    models = ",".join(re.findall(r"[^\s,;'\"]{1,200}", job.notes.get("INFERENCE_MODELS") or job.name)[:MODELS])
    entry = {
        "Models": models,
        "Models Served": models,
        "Framework": clean(job.note("INFERENCE_FRAMEWORK", "vllm")),
        "Cluster": clean(job.note("INFERENCE_CLUSTER")),
        "Model Status": {"running": "hot" if is_ready else "starting", "queued": "queued"}.get(job.group, "cold"),
        "Job ID": clean(job.job_id),
        "Job State": clean(job.state),
        "Host Name": clean(job.host),
        "Job Comments": clean(job.comment),
        "Nodes Reserved": job.nodes,
        "Walltime": format_s(job.used_s),
        "Walltime Left": format_s(job.left_s),
        "Estimated Start Time": format_time(job.start_at),
    }
    batch = {"Batch ID": clean(job.batch_id), "Username": clean(job.notes.get("INFERENCE_USERNAME", ""))}
    return {**entry, **batch} if job.batch_id else entry


def find_ready(jobs: list[Job]) -> list[str]:
    """The ids of the jobs that are found to serve, all of them asked side by side and in bounded time."""
    waiting, found = iter(jobs), list[str]()
    give_up_at = time.monotonic() + READY_TIMEOUT_S

    def ask() -> None:
        for job in waiting:
            if time.monotonic() < give_up_at and is_ready(job):
                found.append(job.job_id)

    # Daemons: a log on a hung file system holds up neither this answer nor the worker's end.
    threads = list[threading.Thread]()
    with contextlib.suppress(RuntimeError):  # the node may allow no more of them
        while len(threads) < min(PROBES, len(jobs)):
            thread = threading.Thread(target=ask, daemon=True)
            thread.start()
            threads.append(thread)
    for thread in threads:
        thread.join(max(0.0, give_up_at - time.monotonic()))
    return list(found)


def is_ready(job: Job) -> bool:
    """Whether a job's log holds the marker, or its framework says that it is well, on each of its ports."""
    if any(has_marker(pathlib.Path(path)) for path in list_logs(job)):
        return True
    is_off = os.environ.get("INFERENCE_HEALTH_CHECK", "on").lower() in {"off", "no", "false", "0"}
    if is_off or job.batch_id or not job.host:
        return False
    ports = re.split(r"[\s,;]+", job.note("INFERENCE_API_PORT", "8000"))
    return all(is_healthy(job.host, port) for port in ports)


def list_logs(job: Job) -> list[str]:
    """Where a job's log may be: where it says, in the site's folder by its id, where the scheduler writes."""
    folder, stems = os.environ.get("INFERENCE_LOG_DIR", ""), (job.job_id, job.job_id.partition(".")[0])
    named = [f"{folder}/{stem}{suffix}" for stem in stems for suffix in (".log", ".out", ".OU")] if folder else []
    paths = [job.notes.get("INFERENCE_LOG_FILE", ""), *named, *job.logs]
    return [path for path in paths if path.startswith("/") and "\0" not in path]


def has_marker(path: pathlib.Path) -> bool:
    """Whether the beginning of a file holds the readiness marker."""
    kept = b""
    with contextlib.suppress(OSError), path.open("rb") if path.is_file() else io.BytesIO() as log:
        while log.tell() < LOG_BYTES and (data := log.read(CHUNK_BYTES)):
            if MARKER in kept + data:
                return True
            kept = data[-len(MARKER) :]
    return False


def is_healthy(host: str, port: str) -> bool:
    """Whether the framework's health endpoint answers 200."""
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:  # noqa: PLR2004 - the last port
        return False
    connection = http.client.HTTPConnection(host, int(port), timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def run(command: list[str]) -> str:
    """What a command prints. Raises `Failure`: it is not there, fails, takes too long, or prints too much."""
    configured = os.environ.get("INFERENCE_SCHEDULER_TIMEOUT_S", "")
    timeout_s = int(configured) if re.fullmatch(r"[1-9]\d{0,2}", configured) else SCHEDULER_TIMEOUT_S
    environment = {**os.environ, "LC_ALL": "C", "SLURM_TIME_FORMAT": "standard"}
    pipe, no_input = subprocess.PIPE, subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            command, stdin=no_input, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
        )
    except OSError as exc:
        raise Failure(f"{command[0]} cannot be run: {exc.strerror}") from exc
    try:
        output, complaint = read_pipes(process, time.monotonic() + timeout_s)
        status = process.wait(timeout_s)
    except subprocess.TimeoutExpired as exc:
        raise Failure(f"{command[0]} did not answer within {timeout_s} s") from exc
    finally:
        stop(process)
    if status:
        raise Failure(f"{command[0]} failed with status {status}: {complaint}")
    return output


def read_pipes(process: subprocess.Popen[bytes], give_up_at: float) -> tuple[str, str]:
    """What a process prints, and what it complains of. Raises `Failure`, `subprocess.TimeoutExpired`."""
    parts: dict[Any, bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in parts:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, give_up_at - time.monotonic()))
            if not ready:
                raise subprocess.TimeoutExpired(process.args, 0)
            for key, _ in ready:
                data = os.read(key.fd, CHUNK_BYTES)
                parts[key.fileobj] += data
                if not data:
                    selector.unregister(key.fileobj)
                if len(parts[key.fileobj]) > OUTPUT_BYTES:
                    raise Failure("the scheduler's answer is larger than it may be")
    output, complaint = (bytes(part).decode("utf-8", "replace") for part in parts.values())
    return output, complaint


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, with what it started, and let go of its pipes."""
    if process.returncode is None:  # nobody has taken its status, so its id is still its own
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # one that hangs in the kernel cannot be awaited
            process.wait(1.0)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def list_users() -> set[str]:
    """Whose jobs are shown: ``INFERENCE_JOB_USERS``, else the own user; empty for everybody. Raises `Failure`."""
    named = set(re.findall(r"[\w.*][\w.-]*", os.environ.get("INFERENCE_JOB_USERS", "")))
    try:
        return set() if "*" in named else named or {pwd.getpwuid(os.geteuid()).pw_name}
    except KeyError as exc:
        raise Failure("the endpoint's user has no name: set INFERENCE_JOB_USERS") from exc


def parse_notes(text: str) -> dict[str, str]:
    """The ``INFERENCE_…=value`` pairs in free text, apart by blanks or commas; quotes keep what they hold together."""
    pairs = re.findall(r"\b(INFERENCE_[A-Z_]+)=('[^']*'|\"[^\"]*\"|(?:(?!,\w+=)[^\s'\"<])*)", text)
    return {name: value.strip("'\"") for name, value in pairs}


def parse_duration_s(text: str) -> int | None:
    """Seconds of ``[days-][[hours:]minutes:]seconds``; `None` for anything else, such as UNLIMITED."""
    match = re.fullmatch(r"(?:(\d{1,6})-)?(?:(?:(\d{1,9}):)?(\d{1,9}):)?(\d{1,9})", text.strip())
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds if match else None


def parse_time(text: str) -> float | None:
    """POSIX seconds of a scheduler's local time, or of such seconds; `None` for anything else, such as N/A."""
    if re.fullmatch(r"[1-9]\d{8,10}", text):
        return float(text)
    for pattern in ("%a %b %d %H:%M:%S %Y", "%Y-%m-%dT%H:%M:%S"):
        with contextlib.suppress(ValueError, OverflowError):
            return time.mktime(time.strptime(text.strip(), pattern))
    return None


def format_s(seconds: int | None) -> str:
    """``HH:MM:SS``, with as many hours as it takes; empty for `None`."""
    return "" if seconds is None else f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def format_time(posix_s: float | None) -> str:
    """ISO 8601, UTC; empty for `None`."""
    return "" if posix_s is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(posix_s))


def clean(value: object) -> str:
    """A bounded line of text."""
    return " ".join(str(value).split())[:TEXT_CHARS]


if __name__ == "__main__":
    # A person's terminal, never a worker, whose environment need not have the SDK: hence the import down here.
    from registration import register_file

    register_file(__file__, qstat_status_function.__name__, "qstat_register_function.txt")
