"""Rules about host names, origins, the relay's address and who may read the metrics."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from resource_server.checks.rule import Problem, Rule, host_of, is_loopback, scheme_of
from resource_server.domain.settings import Settings

_RELAY_PATH = "/resource_server/relay"


def _find_any_host(settings: Settings) -> Iterator[Problem]:
    if "*" in settings.items("ALLOWED_HOSTS"):
        yield Problem("ALLOWED_HOSTS holds '*'.", "Name the hosts that the gateway answers to.")


def _find_no_host(settings: Settings) -> Iterator[Problem]:
    for item in settings.items("ALLOWED_HOSTS"):
        if item != "*" and not _is_host(item):
            yield Problem(
                f"ALLOWED_HOSTS holds {item!r}, which no request's host can equal.",
                "Write names alone, without https://, port or path.",
            )


def _is_host(item: str) -> bool:
    return not any(sign in item for sign in "/<>@*?") and (":" not in item or item.startswith("["))


def _find_wide_host(settings: Settings) -> Iterator[Problem]:
    for item in settings.items("ALLOWED_HOSTS"):
        if item.startswith(".") and item.count(".") == 1:
            yield Problem(f"ALLOWED_HOSTS holds {item!r}, a whole top-level domain.", "Name your own domain.")


def _find_clear_origin(settings: Settings) -> Iterator[Problem]:
    for origin in settings.items("CSRF_TRUSTED_ORIGINS"):
        if scheme_of(origin) != "https":
            yield Problem(
                f"CSRF_TRUSTED_ORIGINS holds {origin!r}: pages there could be changed on their way.",
                "Write origins as https://gateway.example.org.",
            )


def _find_wide_origin(settings: Settings) -> Iterator[Problem]:
    for origin in settings.items("CSRF_TRUSTED_ORIGINS"):
        host = host_of(origin)
        if host.startswith("*") and host.count(".") < 2:  # noqa: PLR2004 - "*.org" is everybody's
            yield Problem(
                f"CSRF_TRUSTED_ORIGINS holds {origin!r}: strangers' pages would be trusted.", "Name your own domain."
            )


def _find_bad_relay(settings: Settings) -> Iterator[Problem]:
    url = settings.text("RELAY_BASE_URL")
    if url and (scheme_of(url) not in {"http", "https"} or not host_of(url) or _has_more(url)):
        yield Problem(
            "RELAY_BASE_URL is not an address that compute nodes can post to.",
            f"Write https://<the gateway's host>{_RELAY_PATH}, without user, query or fragment.",
        )


def _has_more(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.username or parts.password or parts.query or parts.fragment)


def _find_other_relay_path(settings: Settings) -> Iterator[Problem]:
    url = settings.text("RELAY_BASE_URL")
    if host_of(url) and not urlsplit(url).path.rstrip("/").endswith(_RELAY_PATH):
        yield Problem(
            f"RELAY_BASE_URL does not end with {_RELAY_PATH}: posts would meet no route.",
            f"Write https://<the gateway's host>{_RELAY_PATH}.",
        )


def _find_clear_relay(settings: Settings) -> Iterator[Problem]:
    if scheme_of(settings.text("RELAY_BASE_URL")) == "http":
        yield Problem(
            "RELAY_BASE_URL begins with http://: answers and tickets would travel in the clear.", "Use https://."
        )


def _find_near_relay(settings: Settings) -> Iterator[Problem]:
    if is_loopback(host_of(settings.text("RELAY_BASE_URL"))):
        yield Problem(
            "RELAY_BASE_URL points to this machine: compute nodes would post to themselves.",
            "Use the gateway's public name, or remove it to answer without streaming from compute nodes.",
        )


def _find_open_metrics(settings: Settings) -> Iterator[Problem]:
    for item in settings.items("METRICS_ALLOWED_ADDRESSES"):
        if item in {"0.0.0.0", "::"} or item.endswith("/0"):  # noqa: S104 - refused, not bound
            yield Problem(
                f"METRICS_ALLOWED_ADDRESSES holds {item!r}: everybody could read the metrics.",
                "Name the address or the network of Prometheus.",
            )


def _find_local_hosts(settings: Settings) -> Iterator[Problem]:
    if all(is_loopback(item.strip("[]")) for item in settings.items("ALLOWED_HOSTS")):
        yield Problem(
            "ALLOWED_HOSTS names this machine only: requests through the public name are refused.",
            "Add the gateway's domain.",
        )


RULES = (
    Rule("E004", "ALLOWED_HOSTS holds `*`", _find_any_host),
    Rule("E024", "an item of ALLOWED_HOSTS is no host name", _find_no_host, in_development=True),
    Rule("E025", "ALLOWED_HOSTS holds a whole top-level domain", _find_wide_host),
    Rule("E026", "a trusted origin is not encrypted", _find_clear_origin),
    Rule("E027", "a trusted origin takes in strangers", _find_wide_origin),
    Rule("E028", "RELAY_BASE_URL is no address, or holds more than one", _find_bad_relay, in_development=True),
    Rule("E029", "RELAY_BASE_URL leads to no route", _find_other_relay_path, in_development=True),
    Rule("E030", "the relay is not encrypted", _find_clear_relay),
    Rule("E031", "the relay's address is this machine", _find_near_relay),
    Rule("E032", "everybody may read the metrics", _find_open_metrics),
    Rule("W005", "only this machine's own names are answered to", _find_local_hosts),
)
