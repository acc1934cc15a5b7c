"""Debian's nginx with the configuration that the project ships; only what a machine has of its own is replaced."""

import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from tests.servers.process import Process, Server, find_free_port, is_listening

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "nginx"
PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "nginx"

BARE_MAIN = """\
pid nginx.pid;
error_log /dev/stderr warn;
events { worker_connections 512; }
http {
    include /etc/nginx/mime.types;
    access_log /dev/stdout;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include conf.d/*.conf;
}
"""
"""In place of Debian's own nginx.conf, whose paths belong to the machine's nginx."""


class NginxServer(Server):
    """One nginx in `folder`, with ``conf.d/site.conf`` and beside it the shipped ``gateway/``, as it is installed.

    Args:
        folder: an empty folder.
        main: the text of nginx.conf.
        site: the text of the site, which listens on `port`.
        port: a free port of 127.0.0.1.
    """

    def __init__(self, folder: Path, main: str, site: str, port: int) -> None:
        super().__init__()
        self.port = self.plain_port = port
        self._folder = folder
        (folder / "conf.d").mkdir(parents=True)
        (folder / "nginx.conf").write_text(main)
        (folder / "conf.d" / "site.conf").write_text(site)
        shutil.copytree(SHIPPED / "gateway", folder / "gateway")

    @property
    def log(self) -> str:
        """The access log and the error log, as the container's are: one after the other on its output."""
        return (self._folder / "nginx.log").read_text()

    def _spawn(self) -> Process:
        process = start_nginx(self._folder)
        process.wait_until(lambda: is_listening(self.port))
        return process


def start_nginx(folder: Path) -> Process:
    """Run the one that is configured in `folder`."""
    # Root's workers would be another user's, who cannot read what pytest keeps.
    options = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    command: list[str | Path] = [PROGRAM, "-p", folder, "-c", folder / "nginx.conf", "-g", options]
    # Killed, it would leave its workers behind.
    return Process(command, folder / "nginx.log", death_signal=signal.SIGTERM)


def replace(text: str, replacements: Mapping[str, str]) -> str:
    """`text` with the machine's own values. Fails where something to be replaced is not there."""
    for shipped, own in replacements.items():
        assert shipped in text, shipped
        text = text.replace(shipped, own)
    return text


def build_compose_nginx(
    folder: Path, gateway_port: int, static: Path, changes: Mapping[str, str] | None = None
) -> NginxServer:
    """The nginx of docker-compose.yml; `changes` to the files in ``gateway/`` are what an operator might make."""
    port = find_free_port()
    own = {
        "inference-gateway:8000": f"127.0.0.1:{gateway_port}",
        "listen 8000": f"listen 127.0.0.1:{port}",
        "/srv/static/": f"{static}/",
    }
    main = replace((SHIPPED / "nginx.conf").read_text(), {"/tmp/": f"{folder}/"})  # noqa: S108 - the container's
    site = replace((ROOT / "nginx_app.conf").read_text(), own)
    server = NginxServer(folder, main, site, port)
    for shipped, changed in (changes or {}).items():
        files = [path for path in (folder / "gateway").iterdir() if shipped in path.read_text()]
        assert files, shipped
        for path in files:
            path.write_text(path.read_text().replace(shipped, changed))
    return server


def build_kubernetes_nginx(folder: Path, gateway_port: int, static: Path) -> NginxServer:
    """The one beside the gateway in its pod; `plain_port` is Prometheus's."""
    port, plain_port = find_free_port(), find_free_port()
    own = {
        "127.0.0.1:8000": f"127.0.0.1:{gateway_port}",
        "listen 8080": f"listen 127.0.0.1:{port}",
        "listen 9145": f"listen 127.0.0.1:{plain_port}",
        "gateway.example.org": "localhost",
        "10.0.0.0/8": "127.0.0.1",
        "/srv/static/": f"{static}/",
    }
    manifests = ROOT / "deploy" / "kubernetes" / "nginx"
    main = replace((SHIPPED / "nginx.conf").read_text(), {"/tmp/": f"{folder}/"})  # noqa: S108 - the container's
    server = NginxServer(folder, main, replace((manifests / "site.conf").read_text(), own), port)
    trusted = replace((manifests / "trusted.conf").read_text(), {"10.0.0.0/8": "127.0.0.1"})
    (folder / "gateway" / "trusted.conf").write_text(trusted)
    server.plain_port = plain_port
    return server


def build_tls_nginx(folder: Path, gateway_port: int, static: Path, certificate: Path, key: Path) -> NginxServer:
    """The site for bare metal; `port` is the one with TLS, `plain_port` the one that redirects to it."""
    port, plain_port = find_free_port(), find_free_port()
    site = (SHIPPED / "inference_gateway.conf").read_text()
    own = describe_machine(
        port=port,
        plain_port=plain_port,
        gateway_port=gateway_port,
        static=static,
        certificate=certificate,
        key=key,
    )
    server = NginxServer(folder, BARE_MAIN, replace(site, own), port)
    server.plain_port = plain_port
    return server


def describe_machine(
    *, port: int, plain_port: int, gateway_port: int, static: Path, certificate: Path, key: Path
) -> dict[str, str]:
    """What a machine has of its own, by what the site for bare metal has in its place."""
    return {
        "127.0.0.1:8000": f"127.0.0.1:{gateway_port}",
        "    listen [::]:80;\n": "",
        "    listen [::]:443 ssl http2;\n": "",
        "listen 80;": f"listen 127.0.0.1:{plain_port};",
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "/etc/ssl/gateway/fullchain.pem": str(certificate),
        "/etc/ssl/gateway/privkey.pem": str(key),
        "/opt/inference-gateway/static/": f"{static}/",
        "/var/log/nginx/inference_gateway.log": "/dev/stdout",
    }
