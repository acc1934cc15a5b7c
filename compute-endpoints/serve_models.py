"""Keeps a job's frameworks alive: one OpenAI-compatible server per model, on the loopback interface.

`serve.sh` starts it in a job, `python serve_models.py CONFIG` by hand; CONFIG is JSON text, or ``@`` and a file's name.
It starts the servers, waits until all of them are well, says so, starts again what dies or hangs, and ends them all
when it is told to end or when the job does. It uses the standard library alone and works from Python 3.9 on.

    {"models": [{"model": "meta-llama/Llama-3.1-8B-Instruct", "port": 8000, "source"?: "/weights/llama",
                 "options"?: ["--max-model-len", "8192"], "environment"?: {"CUDA_VISIBLE_DEVICES": "0"}}],
     "command"?: ["vllm", "serve", "{source}", …], "options"?: […], "host"?: "127.0.0.1", "health_path"?: "/health",
     "start_s"?: 3600, "silent_s"?: 60, "restarts"?: 5, "pause_s"?: 2}

In the command ``{model}``, ``{source}``, ``{port}`` and ``{host}`` are replaced; the options follow it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MARKER = "All models started successfully."
VLLM = ["vllm", "serve", "{source}", "--served-model-name", "{model}", "--host", "{host}", "--port", "{port}"]
TICK_S, PROBE_S, STOP_S, LONGEST_PAUSE_S, FORGIVEN_S = 0.5, 1.0, 10.0, 60.0, 600.0
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class GaveUp(Exception):
    """A framework could not be kept alive."""


class Config:
    """What is to be served; every time is in seconds."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Check a document as above. Raises `ValueError`."""
        self.command: list[str] = list(document.get("command") or VLLM)
        self.options: list[str] = list(document.get("options", []))
        self.host = str(document.get("host", "127.0.0.1"))
        self.health_path = str(document.get("health_path", "/health"))
        self.start_s = float(document.get("start_s", 3600))
        self.silent_s = float(document.get("silent_s", 60))
        self.restarts = int(document.get("restarts", 5))
        self.pause_s = float(document.get("pause_s", 2))
        self.models: list[dict[str, Any]] = list(document.get("models", []))
        ports = [model["port"] for model in self.models]
        if not ports or len(set(ports)) < len(ports) or any(type(port) is not int for port in ports):
            raise ValueError("models must name at least one model, each with a port of its own")

    def build_command(self, model: dict[str, Any]) -> list[str]:
        """The server's command line. A word with other braces, as in JSON, stays as it is."""
        words = {name: str(model[name]) for name in ("model", "port")}
        words.update(source=str(model.get("source") or model["model"]), host=self.host)
        command = list(self.command)
        for name, word in words.items():
            command = [part.replace("{" + name + "}", word) for part in command]
        return [*command, *self.options, *model.get("options", [])]


class Framework:
    """The server of one model, and what is known of it. Times are of the monotonic clock."""

    def __init__(self, config: Config, model: dict[str, Any], log: Path | None) -> None:
        """Start nothing yet; `log` takes what the server prints, else it goes where this program's output goes."""
        self.name, self.port = str(model["model"]), int(model["port"])
        self.is_well = False
        self.restarts = 0
        self._config, self._model, self._log = config, model, log
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at = self._well_at = self._heard_at = 0.0

    def look(self, now: float) -> None:
        """Start the server if it is due; find out how it is. Raises `GaveUp`."""
        if self._process is None:
            if now >= self._start_at:
                self._start(now)
            return
        status = self._process.poll()
        if status is not None:
            self._fail(f"ended with status {status}", now)
        elif is_healthy(self._config, self.port):
            if not self.is_well:
                self.is_well, self._well_at = True, now
                report(f"{self.name} answers at port {self.port} after {now - self._start_at:.0f} s")
            self._heard_at = now
            if now - self._well_at > FORGIVEN_S:
                self.restarts = 0
        elif self.is_well and now - self._heard_at > self._config.silent_s:
            self._fail(f"has not been well for {self._config.silent_s:.0f} s", now)
        elif not self.is_well and now - self._start_at > self._config.start_s:
            self._fail(f"has not come up within {self._config.start_s:.0f} s", now)

    def ask_to_stop(self) -> None:
        """Tell the server, with whatever it has started, to end."""
        self._signal(signal.SIGTERM)

    def stop(self, until: float) -> None:
        """Wait for the end of a server that was told to; kill what is left of it at `until`."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            report(f"{self.name} does not end and is killed")
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _start(self, now: float) -> None:
        command = self._config.build_command(self._model)
        output = None if self._log is None else self._log.open("ab")
        try:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **self._model.get("environment", {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                preexec_fn=stand_alone,  # noqa: PLW1509 - there is one thread, and it calls the kernel only
            )
        except OSError as exc:
            self._fail(f"cannot be started: {command[0]}: {exc.strerror}", now)
            return
        finally:
            if output:
                output.close()
        self._start_at = now
        report(f"{self.name} starts at port {self.port}, process {self._process.pid}")

    def _fail(self, what: str, now: float) -> None:
        self.is_well = False
        self.ask_to_stop()
        self.stop(time.monotonic() + STOP_S)
        self.restarts += 1
        if self.restarts > self._config.restarts:
            raise GaveUp(f"{self.name} {what}, and {self._config.restarts} restarts did not help")
        pause_s = min(self._config.pause_s * 2 ** (self.restarts - 1), LONGEST_PAUSE_S)
        self._start_at = now + pause_s
        report(f"{self.name} {what}; restart {self.restarts} of {self._config.restarts} in {pause_s:.0f} s")

    def _signal(self, sent: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left in the group
                os.killpg(self._process.pid, sent)


class Supervisor:
    """All frameworks of a job."""

    def __init__(self, config: Config, status_file: Path | None) -> None:
        """Start nothing yet. The servers' output goes to files beside the status file."""
        self._status_file, self._said = status_file, ""
        self._frameworks = []
        for model in config.models:
            log = status_file and status_file.with_name(f"{status_file.stem}-{model['port']}.txt")
            self._frameworks.append(Framework(config, model, log))
        self._parent, self._is_told = os.getppid(), False
        self.has_served = False

    def run(self, *, with_job: bool) -> None:
        """Serve until told to end, or, `with_job`, until the process that started this has ended. Raises `GaveUp`."""
        for sent in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sent, self._tell)
        try:
            while not self._must_end(with_job=with_job):
                for framework in self._frameworks:
                    if not self._must_end(with_job=with_job):
                        framework.look(time.monotonic())
                self._say()
                time.sleep(TICK_S)
        finally:
            self._stop()

    def _tell(self, *_: object) -> None:
        self._is_told = True

    def _must_end(self, *, with_job: bool) -> bool:
        return self._is_told or (with_job and os.getppid() != self._parent)

    def _say(self) -> None:
        """Tell how it is, if that is news. The status file never says more than what is so now."""
        well = sum(framework.is_well for framework in self._frameworks)
        head = MARKER if well == len(self._frameworks) else f"{well} of {len(self._frameworks)} models serve."
        if head != self._said:
            self._said = head
            self.has_served = self.has_served or head == MARKER
            print(head, flush=True)
            self._write(head)

    def _write(self, head: str) -> None:
        if self._status_file is None:
            return
        lines = [head, *(f"{one.name} port {one.port} restarts {one.restarts}" for one in self._frameworks)]
        new = self._status_file.with_name(f"{self._status_file.name}.new")
        new.write_text("\n".join(lines) + "\n", encoding="utf-8")
        new.replace(self._status_file)

    def _stop(self) -> None:
        for framework in self._frameworks:
            framework.ask_to_stop()
        until = time.monotonic() + STOP_S
        for framework in self._frameworks:
            framework.stop(until)
        self._write("The models have been stopped.")
        report("stopped")


def stand_alone() -> None:
    """In a new server: be a process group, so that all of it can be ended, and end if this program is killed."""
    os.setpgid(0, 0)
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def is_healthy(config: Config, port: int) -> bool:
    """Whether the server at `port` says that it is well."""
    host = "127.0.0.1" if config.host == "0.0.0.0" else config.host  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(host, port, timeout=PROBE_S)
    try:
        connection.request("GET", config.health_path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def report(text: str) -> None:
    """Write a line to the job's error output: never a command line or a variable, for these may hold secrets."""
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text, file=sys.stderr, flush=True)


def end_job() -> None:
    """Ask the job's script, and whatever else is in its process group, to end: it would hold its nodes for nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(os.getpgrp(), signal.SIGTERM)


def read_config(text: str) -> Config:
    """The configuration in `text`, or in the file it names. Raises `SystemExit` with what is wrong."""
    try:
        return Config(json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text))
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as exc:
        sys.exit(f"serve_models.py: the configuration cannot be used: {type(exc).__name__}: {exc}")


def main() -> int:
    """Returns 0 after being told to end, 1 if a framework could not be kept alive or, with --check, is not well."""
    parser = argparse.ArgumentParser(description="Serve models and keep their servers alive.")
    parser.add_argument("config", help="JSON text, or @ and a file's name; see the beginning of this file")
    parser.add_argument("--status-file", type=Path, help="a file of this job alone that says how the models are")
    parser.add_argument(
        "--with-job", action="store_true", help="end with the process that started this, and end it too"
    )
    parser.add_argument("--check", action="store_true", help="ask servers that run already, and say which are well")
    arguments = parser.parse_args()
    config = read_config(arguments.config)
    if arguments.check:
        sick = [model for model in config.models if not is_healthy(config, model["port"])]
        for model in config.models:
            print(model["model"], "is not well" if model in sick else "is well")
        return 1 if sick else 0
    os.umask(0o077)  # servers may print prompts
    supervisor = Supervisor(config, arguments.status_file)
    try:
        supervisor.run(with_job=arguments.with_job)
    except GaveUp as exc:
        report(f"gave up: {exc}")
        if arguments.with_job and supervisor.has_served:  # else the script goes on to refuse the calls that wait
            end_job()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
