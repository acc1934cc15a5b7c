"""Globus Compute, or plain HTTP to the node that serves, where the row allows it and the cluster's report names it."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

from resource_server.backends.base import Backend, BackendFailure, Call, Upstream, UpstreamTimeout
from resource_server.backends.direct.paths import Paths, Way
from resource_server.backends.openai_http.backend import OpenAIHTTPBackend
from resource_server.domain.catalogue import Key
from resource_server.domain.direct_hosts import find_allowed
from resource_server.domain.states import ModelState
from resource_server.domain.targets import GlobusComputeTarget, OpenAIHTTPTarget, Target

logger = logging.getLogger(__name__)

_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
"""What another server on that port would say; the way through Globus Compute may fare better."""


class DirectBackend:
    """See `backends.base.Backend`. Globus Compute stays the way to start models, and the fallback.

    Args:
        compute: the way through Globus Compute.
        http: the way by HTTP.
        find_host: the node that a cluster's fresh report names for a target; untrusted text.
    """

    starts_models = True

    def __init__(
        self, compute: Backend, http: OpenAIHTTPBackend, find_host: Callable[[GlobusComputeTarget], str | None]
    ) -> None:
        self._compute = compute
        self._http = http
        self._find_host = find_host
        self._paths: dict[Key, Paths] = {}

    async def open(self, call: Call) -> Upstream:
        """The faster way; where the direct one fails before its status, the other. See `backends.base.Backend.open`."""
        target = call.target
        if not isinstance(target, GlobusComputeTarget) or not target.direct_hosts:
            return await self._compute.open(call)
        paths = self._paths.setdefault((target.cluster, target.framework, target.model), Paths())
        host = find_allowed(self._find_host(target) or "", target.direct_hosts)
        if host is not None and paths.choose() is Way.DIRECT:
            upstream = await self._try_directly(call, build_direct_target(target, host), paths)
            if upstream is not None:
                return upstream
        began_at = time.monotonic()
        upstream = await self._compute.open(call)
        paths.note(Way.GLOBUS, time.monotonic() - began_at)
        return upstream

    def state(self, target: Target) -> ModelState:
        """The compute endpoint's."""
        return self._compute.state(target)

    async def aclose(self) -> None:
        """Close the way through Globus Compute; the other belongs to whoever made it."""
        await self._compute.aclose()

    async def _try_directly(self, call: Call, target: OpenAIHTTPTarget, paths: Paths) -> Upstream | None:
        began_at = time.monotonic()
        try:
            upstream = await self._http.open(replace(call, target=target))
        except UpstreamTimeout:
            raise
        except BackendFailure as exc:
            paths.note_failure()
            logger.warning("direct_failed request_id=%s detail=%.200s", call.request_id, exc)
            return None
        if upstream.status >= HTTPStatus.INTERNAL_SERVER_ERROR or upstream.status in _REFUSED:
            paths.note_failure()
            logger.warning("direct_refused request_id=%s status=%d", call.request_id, upstream.status)
            await upstream.aclose()
            return None
        paths.note(Way.DIRECT, time.monotonic() - began_at)
        upstream.headers = {**upstream.headers, "x-gateway-path": Way.DIRECT.value}
        return upstream


def build_direct_target(target: GlobusComputeTarget, host: str) -> OpenAIHTTPTarget:
    """The row as a target by HTTP on `host`, which `find_allowed` gave: scheme, port, CA and key are the row's."""
    return OpenAIHTTPTarget(
        backend="openai_http",
        cluster=target.cluster,
        framework=target.framework,
        model=target.model,
        base_url=f"{target.direct_scheme}://{host}:{target.direct_port or target.api_port}/v1",
        api_key_variable=target.direct_api_key_variable,
        ca_file=target.direct_ca_file,
        max_concurrency=target.max_concurrency,
        timeout_s=target.timeout_s,
        idle_timeout_s=target.idle_timeout_s,
    )
