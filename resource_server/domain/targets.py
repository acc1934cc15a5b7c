"""The schema of a target: one place where a model runs. Fixtures, admin, the operator API and tests all pass here."""

import re
import uuid
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from resource_server.domain.direct_hosts import parse_pattern
from resource_server.domain.operations import Operation

RESERVED_CLUSTER_NAMES = frozenset(
    {"v1", "v2", "relay", "ui", "docs", "health", "ready", "status", "metrics", "whoami", "usage", "admin"}
    | {"openapi.json", "list-endpoints", "list-endpoints-detailed", "operator"}
)
"""Fixed words of our URLs: a cluster of that name could never be reached."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_BASE_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_PLACEHOLDER = re.compile(r"\s*<.*>\s*", re.DOTALL)


def parse_uuid(value: object) -> str:
    """A UUID in its canonical form. Raises `ValueError` that tells a placeholder from a typing mistake."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, str) and _PLACEHOLDER.fullmatch(value):
        raise ValueError(f"still holds the placeholder {value.strip()!r}: replace it by the UUID that was printed")
    try:
        return str(uuid.UUID(str(value)))
    except ValueError as exc:
        raise ValueError(f"{value!r} is not a UUID such as 6e0e7e3c-0000-4000-8000-000000000000") from exc


def parse_group_ids(value: object) -> tuple[str, ...]:
    """Globus group UUIDs from either documented notation: a list, or the text ``"name:uuid; name:uuid"``.

    Empty text, an empty list and `None` restrict nothing. Raises `ValueError`.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        items: list[object] = [part.rpartition(":")[2].strip() for part in value.split(";") if part.strip()]
    elif isinstance(value, list | tuple):
        items = list(value)
    else:
        raise ValueError('groups are a list of UUIDs, or the text "name:uuid; name:uuid"')
    return tuple(parse_uuid(item) for item in items)


def parse_cluster_name(value: str) -> str:
    """A cluster's or framework's name: one path segment, no word of our own URLs. Raises `ValueError`."""
    if not _NAME.fullmatch(value):
        raise ValueError("use letters, digits, '.', '_' and '-', starting with a letter or digit")
    if value.lower() in RESERVED_CLUSTER_NAMES:
        raise ValueError(f"{value!r} is a fixed word of the gateway's URLs: choose another name")
    return value


def parse_base_url(value: str) -> str:
    """A framework's address without credentials, query or trailing slash. Raises `ValueError`."""
    if not _BASE_URL.fullmatch(value):
        raise ValueError("use http://host:port/v1 or https://host/v1, without credentials or query")
    urlsplit(value).port  # noqa: B018 - raises where the port is none
    return value.rstrip("/")


UUIDText = Annotated[str, BeforeValidator(parse_uuid)]
GroupIds = Annotated[tuple[str, ...], BeforeValidator(parse_group_ids)]
PathName = Annotated[str, AfterValidator(parse_cluster_name)]
HostPattern = Annotated[str, AfterValidator(parse_pattern)]
ModelName = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Caps(BaseModel):
    """Upper bounds on what one request may ask of the target; `None` leaves it to the framework."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int | None = Field(default=16, ge=1)
    best_of: int | None = Field(default=16, ge=1)
    logprobs: int | None = Field(default=20, ge=0)
    top_logprobs: int | None = Field(default=20, ge=0)
    max_output_tokens: int | None = Field(default=None, ge=1)


class _TargetFields(BaseModel):
    """What every target has, whatever its backend."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: PathName
    framework: PathName
    model: ModelName
    endpoint_slug: str = Field(default="", max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")
    allowed_globus_groups: GroupIds = ()
    operations: tuple[Operation, ...] = tuple(Operation)
    allowed_parameters: tuple[str, ...] = ()
    """Otherwise refused body fields that this target accepts."""
    media_hosts: tuple[str, ...] = ()
    """Hosts from which media may be named by URL; everybody else uses ``data:`` URLs."""
    caps: Caps = Caps()
    max_body_bytes: int | None = Field(default=None, ge=1024)
    max_model_len: int | None = Field(default=None, ge=1)
    max_concurrency: int = Field(default=512, ge=1)
    """Requests under way at once from one gateway process."""
    timeout_s: float = Field(default=1800.0, gt=0, le=86400)
    """Total deadline of a request."""
    idle_timeout_s: float = Field(default=120.0, gt=0, le=3600)
    """The longest silence of a stream that has begun."""


class GlobusComputeTarget(_TargetFields):
    """Reached by a registered function on a Globus Compute endpoint."""

    backend: Literal["globus_compute"] = "globus_compute"
    endpoint_uuid: UUIDText
    function_uuid: UUIDText
    api_port: int = Field(default=8000, ge=1, le=65535)
    relay: bool = False
    """The registered function is ours and streams through the relay (its results carry ``gateway_result``)."""
    direct_hosts: tuple[HostPattern, ...] = ()
    """Nodes to which requests may go by HTTP where the cluster's status function names them; empty for none."""
    direct_scheme: Literal["http", "https"] = "http"
    direct_port: int | None = Field(default=None, ge=1, le=65535)
    """Where the framework listens for the gateway; `None` for `api_port`."""
    direct_ca_file: str = ""
    direct_api_key_variable: str = Field(default="", pattern=r"^([A-Z][A-Z0-9_]*)?$")


class OpenAIHTTPTarget(_TargetFields):
    """Reached by HTTP: the framework answers at an address that the gateway can connect to."""

    backend: Literal["openai_http"]
    base_url: Annotated[str, AfterValidator(parse_base_url)]
    """Up to and including ``/v1``; no credentials, no query."""
    api_key_variable: str = Field(default="", pattern=r"^([A-Z][A-Z0-9_]*)?$")
    """The environment variable of the gateway that holds the framework's key; the key itself is no catalogue data."""
    ca_file: str = ""
    """A private CA's certificate file; empty for the system's."""


class SimulatedTarget(_TargetFields):
    """Answers without hardware, for load tests and demonstrations."""

    backend: Literal["simulated"]
    first_token_ms: float = Field(default=20.0, ge=0)
    token_interval_ms: float = Field(default=5.0, ge=0)
    output_tokens: int = Field(default=32, ge=1, le=100_000)
    cold_start_s: float = Field(default=0.0, ge=0)
    """What a start takes; with 0 the model is always hot."""
    idle_stop_s: float | None = Field(default=None, gt=0)
    """After so long without a request the model is cold again; `None` keeps it hot."""


Target: TypeAlias = GlobusComputeTarget | OpenAIHTTPTarget | SimulatedTarget

_ADAPTERS: dict[str, TypeAdapter[Target]] = {
    "globus_compute": TypeAdapter(GlobusComputeTarget),
    "openai_http": TypeAdapter(OpenAIHTTPTarget),
    "simulated": TypeAdapter(SimulatedTarget),
}


class TargetInvalid(ValueError):
    """A target that does not fit the schema; `problems` are sentences, each naming the field and the fix."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def parse_target(document: object) -> Target:
    """One target from its JSON object. Raises `TargetInvalid`."""
    if not isinstance(document, dict):
        raise TargetInvalid(["a target is a JSON object with cluster, framework, model and its backend's fields"])
    kind = document.get("backend", "globus_compute")
    adapter = _ADAPTERS.get(kind) if isinstance(kind, str) else None
    if adapter is None:
        raise TargetInvalid([f"backend: {kind!r} is not one of {', '.join(sorted(_ADAPTERS))}"])
    try:
        return adapter.validate_python(document)
    except ValidationError as exc:
        raise TargetInvalid([_sentence(error["loc"], error["type"], error["msg"]) for error in exc.errors()]) from exc


def _sentence(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    field = ".".join(str(part) for part in loc) or "target"
    if kind == "missing":
        return f"{field}: is missing, give it a value"
    if kind == "extra_forbidden":
        return f"{field}: is not a field of this backend's targets, remove it or correct its spelling"
    return f"{field}: {message.removeprefix('Value error, ')}"


def target_key(target: Target) -> str:
    """``cluster/framework/model``: the one key of a target everywhere."""
    return f"{target.cluster}/{target.framework}/{target.model}"
