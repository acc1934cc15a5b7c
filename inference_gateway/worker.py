"""gunicorn's worker: uvicorn as the gateway needs it.

``gunicorn.conf.py`` leads the documented name ``uvicorn.workers.UvicornWorker`` here, for uvicorn's makers have given
theirs up (docs/adr/0046). gunicorn's master imports this module: it needs neither Django nor settings.
"""

import asyncio
import mmap
import signal
from collections.abc import Callable
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker
from uvicorn import Config, Server

from inference_gateway.protocol import EnvelopeProtocol

CLOSE_WITHIN_S = 10
"""How long connections have once nothing is under way any more; what takes time was waited for before."""
_TLS_OPTIONS = {
    "keyfile": "ssl_keyfile",
    "certfile": "ssl_certfile",
    "password": "ssl_keyfile_password",
    "cert_reqs": "ssl_cert_reqs",
    "ca_certs": "ssl_ca_certs",
    "ciphers": "ssl_ciphers",
}

_reloads = mmap.mmap(-1, 1)
"""How often the master has reloaded, modulo 256: memory that it shares with the workers, which it forks."""


def note_reload() -> None:
    """Let the workers know that others are about to take their place."""
    _reloads[0] = (_reloads[0] + 1) % 256


class WorkerServer(Server):
    """A uvicorn server that knows whether its process is being replaced."""

    def __init__(self, config: Config, is_replaced: Callable[[], bool]) -> None:
        super().__init__(config)
        self.is_replaced = is_replaced


class UvicornWorker(Worker):  # type: ignore[misc]  # gunicorn ships no types
    """Serves one process's share. What gunicorn's options say of TLS, keep-alive and backlog holds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._born_at_reload = _reloads[0]  # in the master, before the fork

    def init_signals(self) -> None:
        """Take the master's handlers away; those of SIGTERM and SIGINT are the server's."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, self.handle_usr1)
        signal.siginterrupt(signal.SIGUSR1, False)

    def run(self) -> None:
        """Serve until told to stop. Ends the process with `Arbiter.WORKER_BOOT_ERROR` where it cannot begin."""
        self._server = server = WorkerServer(self._build_config(), self._is_replaced)
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(self._serve(server))
        if not server.started:
            raise SystemExit(Arbiter.WORKER_BOOT_ERROR)

    async def _serve(self, server: Server) -> None:
        def quit_now() -> None:
            server.should_exit = server.force_exit = True

        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, quit_now)
        await server.serve(sockets=[listener.sock for listener in self.sockets])
        if server.started and server.force_exit:
            await server.lifespan.shutdown()  # in haste uvicorn leaves it out, and with it the spool's last drain

    def _build_config(self) -> Config:
        tls = self.cfg.ssl_options if self.cfg.is_ssl else {}
        return Config(
            self.wsgi,
            http=EnvelopeProtocol,
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=self.cfg.backlog,
            timeout_keep_alive=self.cfg.keepalive,
            timeout_graceful_shutdown=CLOSE_WITHIN_S,
            timeout_notify=self.timeout,
            callback_notify=self._notify,
            forwarded_allow_ips=self.cfg.forwarded_allow_ips,
            **{ours: tls[theirs] for theirs, ours in _TLS_OPTIONS.items() if tls.get(theirs)},
        )

    async def _notify(self) -> None:
        self.notify()
        if self._server.server_state.total_requests >= self.max_requests:
            signal.raise_signal(signal.SIGTERM)  # the master starts another in its place

    def _is_replaced(self) -> bool:
        return bool(_reloads[0] != self._born_at_reload)
