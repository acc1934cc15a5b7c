"""The status function of a Slurm cluster: its jobs with the models they serve, and its free nodes.

`python squeue_register_function.py` registers the text of this whole file with Globus Compute. A worker executes
that text in an empty namespace and calls `squeue_status_function`, without arguments: so that uses the standard
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

# What may still come to serve; every other state, of those to come too, is among the others.
GROUPS = {
    **dict.fromkeys(("RUNNING", "CONFIGURING", "RESIZING", "SIGNALING"), "running"),
    **dict.fromkeys(("PENDING", "REQUEUED", "REQUEUE_FED"), "queued"),
}
HELD = re.compile("JobHeld.*|DependencyNeverSatisfied")
APART, BEGIN, END = "<|>", "<<|", "|>>"  # around fields and jobs: comments may hold any character, and new lines
FIELDS = ("%i", "%T", "%r", "%B", "%D", "%M", "%L", "%S", "%Z", "%j", "%k")
FREE = frozenset(["idle", "idle~"])  # "~": powered off to save energy, and powered on for a job


def squeue_status_function() -> str:
    """The cluster's status as JSON text, whatever the scheduler does: one `squeue` and one `sinfo`."""
    return build_report(list_jobs, count_free_nodes)


def list_jobs() -> list[Job]:
    """The jobs of the users who are shown; waiting elements of an array are one. Raises `Failure`."""
    users = list_users()
    by_user = [f"--user={','.join(sorted(users))}"] if users else []
    text = run(["squeue", "--noheader", "--states=all", *by_user, f"--format={BEGIN}{APART.join(FIELDS)}{END}"])
    records = re.findall(rf"^{re.escape(BEGIN)}(.*?){re.escape(END)}\s*$", text, re.DOTALL | re.MULTILINE)
    fields = [record.split(APART, len(FIELDS) - 1) for record in records]
    jobs = [parse_job(*field) for field in fields if len(field) == len(FIELDS)]
    if text.strip() and not jobs:
        raise Failure("squeue printed something else than jobs")
    return jobs


def parse_job(*fields: str) -> Job:
    """A job from the fields that were asked for, in their order."""
    job_id, state, reason, host, nodes, used, left, start, folder, name, comment = (field.strip() for field in fields)
    group = "others" if HELD.fullmatch(reason) else GROUPS.get(state, "others")
    return Job(
        job_id=job_id,
        group=group,
        state=state,
        name=name,
        notes=parse_notes(comment),
        host=host if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,250}", host) else "",
        nodes=int(nodes) if re.fullmatch(r"\d{1,9}", nodes) else 0,
        comment="" if reason in {"None", "(null)"} else reason,
        used_s=parse_duration_s(used),
        left_s=parse_duration_s(left),
        start_at=parse_time(start) if group == "queued" else None,
        logs=[f"{folder}/slurm-{job_id}.out"],
    )


def count_free_nodes() -> int:
    """How many nodes are idle, in the partitions of ``INFERENCE_PARTITIONS`` or in all. Raises `Failure`."""
    partitions = ",".join(re.findall(r"\w[\w.-]*", os.environ.get("INFERENCE_PARTITIONS", "")))
    chosen = [f"--partition={partitions}"] if partitions else []
    text = run(["sinfo", "--noheader", "--Node", *chosen, f"--format=%N{APART}%T"])
    nodes = {tuple(line.split(APART)) for line in text.splitlines() if APART in line}  # a line a node and partition
    if text.strip() and not nodes:
        raise Failure("sinfo printed something else than nodes")
    return len({name for name, state, *_ in nodes if state.strip() in FREE})


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

    register_file(__file__, squeue_status_function.__name__, "squeue_register_function.txt")
