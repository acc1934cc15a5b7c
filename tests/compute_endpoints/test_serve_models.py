"""The launcher of frameworks: starts, watches, starts again, ends."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compute_endpoints.launcher import DEADLINE_S, KINDS, MARKER, Job, await_until, build_model

pytestmark = pytest.mark.timeout(180)


def test_marker_waits_for_every_model(tmp_path: Path) -> None:
    sick = tmp_path / "sick"
    sick.touch()
    slow = build_model("b", options=["--sick-while", str(sick)])
    job = Job(tmp_path, [build_model("a"), slow])
    with job.running():
        await_until(lambda: job.status[:1] == ["1 of 2 models serve."])
        assert MARKER not in job.output
        sick.unlink()
        await_until(lambda: job.is_serving)
        await_until(lambda: MARKER in job.output.splitlines())
        assert job.status[1:] == [f"{model['model']} port {model['port']} restarts 0" for model in job.models]


def test_server_gets_its_words_and_its_environment(tmp_path: Path) -> None:
    model = build_model("org/model", source="/weights", options=["--json", '{"a": 1}'], environment={"GPUS": "0,1"})
    job = Job(tmp_path, [model], {"options": ["--all", "{source}"]})
    job.settings["command"] = [*json.loads(job.config)["command"], "--from", "{source}"]
    with job.running():
        await_until(lambda: job.is_serving)
        started = job.get(0, "/arguments")
    port = str(model["port"])
    assert started["arguments"] == [
        *("--model", "org/model", "--port", port, "--host", "127.0.0.1", "--from", "/weights"),
        *("--all", "{source}", "--json", '{"a": 1}'),
    ]
    assert started["environment"]["GPUS"] == "0,1"


def test_server_that_is_killed_is_started_again(tmp_path: Path) -> None:
    job = Job(tmp_path, [build_model("a"), build_model("b")])
    with job.running():
        await_until(lambda: job.is_serving)
        first, other = job.find_pid(0), job.find_pid(1)
        os.kill(first, signal.SIGKILL)
        await_until(lambda: f"a port {job.models[0]['port']} restarts 1" in job.status and job.is_serving)
        assert job.find_pid(0) != first
        assert job.find_pid(1) == other
        assert job.output.splitlines()[-3:] == [MARKER, "1 of 2 models serve.", MARKER]


def test_server_that_hangs_is_started_again(tmp_path: Path) -> None:
    sick = tmp_path / "sick"
    job = Job(tmp_path, [build_model("a", options=["--sick-while", str(sick)])], {"silent_s": 3})
    with job.running():
        await_until(lambda: job.is_serving)
        first = job.find_pid(0)
        sick.touch()
        await_until(lambda: not job.is_serving)
        sick.unlink()
        await_until(lambda: job.is_serving)
        assert job.find_pid(0) != first
        assert "a has not been well for 3 s; restart 1 of 5" in job.complaints


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"command": ["sh", "-c", "exit 3"]}, "a ended with status 3"),
        ({"command": ["no-such-program"]}, "a cannot be started: no-such-program: No such file or directory"),
        ({"command": ["sleep", "600"], "start_s": 1}, "a has not come up within 1 s"),
    ],
)
def test_server_that_never_serves_is_given_up(tmp_path: Path, settings: dict[str, Any], why: str) -> None:
    secret = build_model("a", options=["s3cret"] if "sh" in settings["command"] else [])
    job = Job(tmp_path, [secret], {**settings, "restarts": 2})
    with job.running() as process:
        assert process.wait(DEADLINE_S) == 1
        assert f"gave up: {why}, and 2 restarts did not help" in job.complaints
        await_until(lambda: not job.find_processes())
    assert job.status[0] == "The models have been stopped."
    assert "s3cret" not in job.complaints + job.output


def test_being_told_to_end_leaves_no_process(tmp_path: Path) -> None:
    job = Job(tmp_path, [build_model("a", options=["--orphan"]), build_model("b")])
    with job.running() as process:
        await_until(lambda: job.is_serving)
        assert len(job.find_processes()) == 4
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
        await_until(lambda: not job.find_processes())
    assert not job.is_serving


def test_servers_end_when_the_launcher_is_killed(tmp_path: Path) -> None:
    job = Job(tmp_path, [build_model("a")])
    with job.running() as process:
        await_until(lambda: job.is_serving)
        process.kill()
        await_until(lambda: not job.find_processes())


def test_servers_end_with_the_script_of_the_job(tmp_path: Path) -> None:
    job = Job(tmp_path, [build_model("a")])
    with job.running(*build_script(job, "sleep 600")) as script:
        await_until(lambda: "at work" in job.output)
        script.kill()
        await_until(lambda: set(job.find_processes()) <= find_sleepers(job))


def test_job_ends_when_its_models_are_given_up(tmp_path: Path) -> None:
    job = Job(tmp_path, [build_model("a")], {"restarts": 0})
    with job.running(*build_script(job, "sleep 600")) as script:
        await_until(lambda: "at work" in job.output)
        os.kill(job.find_pid(0), signal.SIGKILL)
        assert script.wait(DEADLINE_S) == -signal.SIGTERM
        await_until(lambda: not job.find_processes())


def test_job_whose_models_cannot_serve_refuses_the_calls_that_wait_and_ends(tmp_path: Path) -> None:
    job = Job(tmp_path, [build_model("a")], {"command": ["false"], "restarts": 1})
    with job.running(*build_script(job, "sleep 600", "export INFERENCE_REFUSE_S=1")) as script:
        assert script.wait(DEADLINE_S) == -signal.SIGTERM
        await_until(lambda: not job.find_processes())
    assert "at work" in job.output
    assert MARKER not in job.output
    assert "gave up: a ended with status 1" in job.complaints


def test_log_of_the_job_carries_its_id_and_the_marker(tmp_path: Path) -> None:
    job = Job(tmp_path, [build_model("a")])
    with job.running(*build_script(job, "sleep 600", "export SLURM_JOB_ID=4711")):
        await_until(lambda: "at work" in job.output)
        assert (tmp_path / "logs" / "4711.log").read_text().splitlines()[0] == MARKER
        assert (tmp_path / "logs" / f"4711-{job.models[0]['port']}.txt").stat().st_mode & 0o077 == 0


def build_script(job: Job, last: str, first: str = ":") -> tuple[str, ...]:
    """A job's script: its environment, `serve.sh`, work."""
    lines = [first, f"export INFERENCE_FOLDER={KINDS} INFERENCE_LOG_DIR={job.folder}/logs"]
    lines += [f"export INFERENCE_SERVE='{job.config}'", f". {KINDS}/serve.sh", "echo at work", last, "exit 0"]
    return ("bash", "-c", "\n".join(lines))


def find_sleepers(job: Job) -> set[int]:
    """The job's own work, which a kill of its script alone leaves behind."""
    return {pid for pid in job.find_processes() if Path(f"/proc/{pid}/comm").read_text() == "sleep\n"}


def test_check_says_which_models_are_well(tmp_path: Path) -> None:
    job = Job(tmp_path, [build_model("a")])
    with job.running():
        await_until(lambda: job.is_serving)
        both = Job(tmp_path, [*job.models, build_model("b")])
        answers = [run(*one.build_command("--check")) for one in (job, both)]
    assert [(answer.returncode, answer.stdout) for answer in answers] == [
        (0, "a is well\n"),
        (1, "a is well\nb is not well\n"),
    ]


def test_servers_listen_on_the_loopback_interface_unless_told_otherwise(tmp_path: Path) -> None:
    job = Job(tmp_path, [build_model("a")])
    with job.running():
        await_until(lambda: job.is_serving)
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect(("127.0.0.2", job.models[0]["port"]))


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "AttributeError"),
        ('{"models": []}', "at least one model"),
        ('{"models": [{"model": "a"}]}', "port"),
        ('{"models": [{"model": "a", "port": "8000"}]}', "a port of its own"),
        ('{"models": [{"model": "a", "port": 1}, {"model": "b", "port": 1}]}', "a port of its own"),
        ("@/nonexistent", "No such file"),
    ],
)
def test_configuration_that_cannot_be_used_is_refused(config: str, why: str) -> None:
    job = Job(Path("/nonexistent"), [])
    command = [*job.build_command()[:-1], config]
    done = run(*command)
    assert done.returncode == 1
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
