"""Everything that lives as long as the process, made in one place and closed in reverse."""

import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from resource_server.accounting import Accounting, open_accounting
from resource_server.backends.base import FunctionRunner
from resource_server.backends.globus_compute.service import ComputeService
from resource_server.backends.globus_compute.settings import GlobusComputeSettings
from resource_server.backends.registry import build_compute_service, open_backends
from resource_server.domain.networks import AddressList
from resource_server.domain.settings import Settings
from resource_server.domain.targets import Target
from resource_server.identity.base import Authenticator, GlobusIdentity
from resource_server.identity.globus_auth import GlobusAuth
from resource_server.identity.settings import IdentitySettings
from resource_server.identity.verifier import Verifier
from resource_server.limits.base import Unlimited
from resource_server.relay.base import Relay
from resource_server.relay.relay import open_relay
from resource_server.services.catalogue import Catalogue
from resource_server.services.controller import Controller
from resource_server.services.database import DatabaseThread
from resource_server.services.draining import Draining
from resource_server.services.gauges import GatewayCollector, open_telemetry
from resource_server.services.inference import Inference
from resource_server.services.ledger import Ledger
from resource_server.services.models import Models
from resource_server.services.presence import Presence
from resource_server.services.public_status import PublicStatus
from resource_server.services.routing import Routing
from resource_server.services.standings import build_reported
from resource_server.services.target_gauges import TargetCollector
from resource_server.state.background import Background
from resource_server.state.base import State
from resource_server.state.build import open_state
from resource_server.status.board import Board
from resource_server.telemetry.telemetry import Telemetry
from resource_server.tracing.base import Tracer
from resource_server.tracing.opening import open_tracer


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the API's views use."""

    authenticator: Authenticator
    inference: Inference
    ledger: Ledger
    models: Models
    public_status: PublicStatus
    routing: Routing
    board: Board
    catalogue: Catalogue
    relay: Relay
    state: State
    accounting: Accounting
    draining: Draining
    presence: Presence
    max_body_bytes: int
    metrics_addresses: AddressList
    telemetry: Telemetry
    tracer: Tracer
    access_log: bool


@asynccontextmanager
async def open_gateway(settings: Settings, secret_key: str, data_dir: Path) -> AsyncIterator[Gateway]:
    """The gateway of this process.

    Start-up needs neither Globus nor Redis, and no database: what is missing shows in ``/ready``.

    Raises:
        OSError: `data_dir` cannot be written, or another process uses it without sharing database and state.
    """
    secret = secret_key.encode()
    workers = int(settings.number("WEB_CONCURRENCY"))
    worker_id = secrets.token_hex(6)
    async with AsyncExitStack() as stack:
        data_dir.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing is served yet
        if not (settings.text("PGHOST") and settings.text("REDIS_URL")):
            stack.enter_context(_sole_process(data_dir))
        telemetry = await stack.enter_async_context(open_telemetry(data_dir, serves=True))
        tracer = await open_tracer(settings, worker_id)
        stack.push_async_callback(tracer.aclose)
        state = await open_state(settings.text("REDIS_URL") or None, workers)
        stack.push_async_callback(state.aclose)
        database = DatabaseThread("catalogue")
        stack.callback(database.close)
        accounting = await open_accounting(data_dir / "spool")
        stack.push_async_callback(accounting.aclose)
        catalogue = Catalogue(database)
        await catalogue.refresh()  # before the backends: they look after its targets from the start
        authenticator = Verifier(
            identity := build_identity_settings(settings), GlobusAuth(identity), state.key_value, secret
        )
        stack.push_async_callback(authenticator.aclose)
        former = [key.encode() for key in settings.items("SECRET_KEY_FALLBACKS")]
        relay_url = settings.text("RELAY_BASE_URL")
        relay = await open_relay(state, relay_url, secret, worker_id, former_secrets=former)
        stack.push_async_callback(relay.aclose)
        board = Board()
        backends, runner = await stack.enter_async_context(
            open_backends(build_compute_settings(settings), state, relay, _targets_of(catalogue), board.find_host)
        )
        last_resort = settings.flag("TRY_OFFLINE_TARGETS")
        routing = Routing(backends, build_reported(backends, board), state, worker_id, last_resort=last_resort)
        stack.push_async_callback(routing.aclose)
        background = Background()
        stack.push_async_callback(background.aclose)
        gauges = GatewayCollector(catalogue, state, accounting, authenticator.stats)
        targets = TargetCollector(catalogue, routing, board)
        for collector in (gauges.read, targets.read_traffic):
            telemetry.add(collector)
        for view in (gauges.read_spool, targets.read_states):
            telemetry.add_view(view)
        background.start("follow catalogue", catalogue.follow())
        background.start("drain accounting", accounting.run())
        controller = build_controller(
            settings,
            board,
            catalogue,
            runner,
            state=state,
            database=database,
            owner=worker_id,
            asks=settings.flag("CONTROLLER_EMBEDDED"),
        )
        background.start("controller", controller.run())
        draining = Draining(settings.number("DRAIN_S"))
        hold_max_s = settings.number("HOLD_MAX_S")
        yield Gateway(
            authenticator=authenticator,
            inference=Inference(catalogue, backends, Unlimited(), routing, hold_max_s=hold_max_s, draining=draining),
            ledger=Ledger(accounting.record),
            models=Models(catalogue, routing),
            public_status=PublicStatus(catalogue, routing, board),
            routing=routing,
            board=board,
            catalogue=catalogue,
            relay=relay,
            state=state,
            accounting=accounting,
            draining=draining,
            presence=Presence(data_dir / "workers", worker_id),
            max_body_bytes=int(settings.number("MAX_BODY_BYTES")),
            metrics_addresses=AddressList(settings.items("METRICS_ALLOWED_ADDRESSES")),
            telemetry=telemetry,
            tracer=tracer,
            access_log=settings.flag("ACCESS_LOG"),
        )


@asynccontextmanager
async def open_globus_seams(settings: Settings) -> AsyncIterator[tuple[GlobusIdentity, ComputeService]]:
    """The two ways to Globus alone, for commands."""
    async with AsyncExitStack() as stack:
        identity = GlobusAuth(build_identity_settings(settings))
        stack.push_async_callback(identity.aclose)
        compute = build_compute_service(build_compute_settings(settings))
        stack.push_async_callback(compute.aclose)
        yield identity, compute


@asynccontextmanager
async def open_controller(settings: Settings, secret_key: str, data_dir: Path) -> AsyncIterator[Controller]:
    """The controller alone, for a process that serves nobody: it needs the state that the gateways share.

    A gateway that shares `data_dir` shows its metrics.
    """
    worker_id = secrets.token_hex(6)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_telemetry(data_dir, serves=False))
        state = await open_state(settings.text("REDIS_URL") or None, 1)
        stack.push_async_callback(state.aclose)
        database = DatabaseThread("controller")
        stack.callback(database.close)
        catalogue = Catalogue(database)
        await catalogue.refresh()
        relay = await open_relay(state, "", secret_key.encode(), worker_id)
        stack.push_async_callback(relay.aclose)
        _, runner = await stack.enter_async_context(
            open_backends(build_compute_settings(settings), state, relay, _targets_of(catalogue))
        )
        background = Background()
        stack.push_async_callback(background.aclose)
        background.start("follow catalogue", catalogue.follow())
        yield build_controller(settings, Board(), catalogue, runner, state=state, database=database, owner=worker_id)


def build_controller(  # noqa: PLR0913 - collaborators, all injected
    settings: Settings,
    board: Board,
    catalogue: Catalogue,
    runner: FunctionRunner,
    *,
    state: State,
    database: DatabaseThread,
    owner: str,
    asks: bool = True,
) -> Controller:
    """What asks the clusters of `catalogue`, and writes down what they say."""
    return Controller(
        board,
        lambda: catalogue.clusters() if catalogue.is_ready() else (),
        runner,
        state,
        database,
        owner=owner,
        call_interval_s=settings.number("GLOBUS_COMPUTE_INTERVAL_S"),
        least_interval_s=settings.number("STATUS_INTERVAL_S"),
        asks=asks,
    )


def build_identity_settings(settings: Settings) -> IdentitySettings:
    """The operator's rules about who may come in."""
    return IdentitySettings(
        application_id=settings.text("GLOBUS_APPLICATION_ID"),
        application_secret=settings.text("GLOBUS_APPLICATION_SECRET"),
        authorized_idps=settings.mapping("AUTHORIZED_IDPS"),
        authorized_clients=frozenset(settings.items("AUTHORIZED_CLIENTS")),
        group_ids=frozenset(settings.items("GLOBUS_GROUPS")),
        policy_ids=frozenset(settings.items("GLOBUS_POLICIES")),
        introspection_ttl_s=min(settings.number("INTROSPECTION_CACHE_S"), 30.0),
        groups_ttl_s=min(settings.number("GROUPS_CACHE_S"), 60.0),
        outage_grace_s=min(settings.number("AUTH_OUTAGE_GRACE_S"), 300.0),
        outbound_per_s=50.0 / settings.number("WEB_CONCURRENCY"),
    )


def build_compute_settings(settings: Settings) -> GlobusComputeSettings:
    """Who the gateway is at Globus Compute."""
    return GlobusComputeSettings(
        client_id=settings.text("SERVICE_ACCOUNT_ID"),
        client_secret=settings.text("SERVICE_ACCOUNT_SECRET"),
        service_url=settings.text("GLOBUS_COMPUTE_SERVICE_URL"),
        relay_enabled=bool(settings.text("RELAY_BASE_URL")),
        interval_s=settings.number("GLOBUS_COMPUTE_INTERVAL_S"),
    )


def _targets_of(catalogue: Catalogue) -> Callable[[], Iterator[Target]]:
    def targets() -> Iterator[Target]:
        if catalogue.is_ready():
            yield from (place.target for place in catalogue.snapshot().places())

    return targets


@contextmanager
def _sole_process(data_dir: Path) -> Iterator[None]:
    """Hold the folder's lock: SQLite and in-process state serve one process only. Raises `OSError`."""
    descriptor = os.open(data_dir / "gateway.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(descriptor)
        raise OSError(
            f"another gateway process uses {data_dir}: stop it, or set PGHOST and REDIS_URL to run several"
        ) from exc
    try:
        yield
    finally:
        os.close(descriptor)
