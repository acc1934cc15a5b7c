"""Log records: one line each, as text or as JSON, with the request's id and without credentials."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_gateway.environment import Environment
from inference_gateway.logs import JsonFormatter, LineFormatter, build_server_logging
from inference_gateway.redaction import REDACTED, Redactor
from resource_server.domain.request_id import CURRENT
from tests.gateway import ROOT

KEY = "k9vX2mQ7pL4tR8wZ1cB6nY3aD5eF0gH9jK2sU7iO4xW8qE1r"
GLOBUS_TOKEN = "Ag" + "b7Xk2P9mQ4" * 8
TICKET = f"1764185000.{'0f' * 8}.{'a9' * 32}"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


def build_record(message: str, *args: object, **attributes: Any) -> logging.LogRecord:
    record = logging.LogRecord("x", logging.INFO, "f", 1, message, args, None)
    vars(record).update(attributes)
    return record


@pytest.fixture
def request_id() -> Iterator[str]:
    token = CURRENT.set("req_1")
    yield "req_1"
    CURRENT.reset(token)


def test_control_characters_are_escaped_and_tracebacks_kept() -> None:
    formatter = LineFormatter()
    record = build_record("user=%s", "a\nINFO forged\x1b[2J\u2028\r")
    assert formatter.format(record).endswith(r" INFO x user=a\nINFO forged\x1b[2J\u2028\r")
    record.exc_text = "Traceback\n  line"
    assert formatter.format(record).endswith("\nTraceback\n  line")


def test_line_names_the_request_once(request_id: str) -> None:
    formatter = LineFormatter()
    assert formatter.format(build_record("upstream_failed")).endswith(f"upstream_failed request_id={request_id}")
    assert formatter.format(build_record("gone request_id=%s", request_id)).count("request_id") == 1


def test_json_record_is_one_object_on_one_line(request_id: str) -> None:
    try:
        raise ValueError(f"no such token: Bearer {GLOBUS_TOKEN}")  # noqa: TRY301 - a traceback is wanted
    except ValueError:
        record = build_record('said "%s"', "a\nb", exc_info=sys.exc_info(), fields={"status": 200, "level": "forged"})
    text = JsonFormatter().format(record)
    document = json.loads(text)
    assert "\n" not in text
    assert document.pop("ts").endswith("+00:00")
    exception = document.pop("exception")
    assert exception.startswith("Traceback")
    assert GLOBUS_TOKEN not in exception
    assert document == {
        "level": "INFO",
        "logger": "x",
        "message": 'said "a\nb"',
        "request_id": request_id,
        "status": 200,
    }


@pytest.mark.parametrize(
    ("text", "secret", "kept"),
    [
        (f"authorization: Bearer {GLOBUS_TOKEN}", GLOBUS_TOKEN, "authorization"),
        ("{'Authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz", "Basic"),
        (f"introspect {GLOBUS_TOKEN} failed", GLOBUS_TOKEN, "failed"),
        (f"posted with {TICKET}, refused", TICKET, "refused"),
        ("cannot connect to redis://user:hunter2hunter2@cache:6379/0", "hunter2", "@cache:6379/0"),
        ("postgresql://gw:p%40ss@db/gateway is away", "p%40ss", "gateway is away"),
        ('{"client_secret": "s3cr3t", "grant_type": "x"}', "s3cr3t", "grant_type"),
        ("access_token=abc123&refresh_token=def456&scope=openid", "abc123", "scope=openid"),
        ("access_token=abc123&refresh_token=def456&scope=openid", "def456", "scope=openid"),
        ("connection failed: password=geheim host=db", "geheim", "host=db"),
        (f"id token {JWT} has ended", JWT, "has ended"),
        (f"the key is {KEY}!", KEY, "!"),
    ],
)
@pytest.mark.parametrize("formatter", [LineFormatter, JsonFormatter])
def test_credentials_are_blotted_out(
    formatter: type[LineFormatter | JsonFormatter], text: str, secret: str, kept: str
) -> None:
    line = formatter([KEY, ""]).format(build_record("%s", text, fields={"said": text}))
    assert secret not in line
    assert REDACTED in line
    assert (json.loads(line)["message"] if formatter is JsonFormatter else line).find(kept) >= 0


@pytest.mark.parametrize(
    "text",
    [
        "refused request_id=req_0f code=invalid_api_key address=192.0.2.1",
        "stream_failed tokens=12 max_tokens=100 code=stream_interrupted",
        "Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)",
        "Against the rules: see Agents",
        "upstream_failed target=polaris/vllm/meta-llama/Llama-3.1-8B left=0 detail=HTTP 502",
    ],
)
def test_other_words_are_left_alone(text: str) -> None:
    assert Redactor(["", "short"])(text) == text


PROGRAM = """
import logging, logging.config, sys
from pathlib import Path
from inference_gateway.environment import Environment
from inference_gateway.logs import build_logging

path, key = Path(sys.argv[1]), sys.argv[2]
logging.config.dictConfig(build_logging(Environment({"LOG_FORMAT": "json", "LOG_FILE": str(path), "SECRET_KEY": key})))
logging.info("the key is %s", key)
path.rename(path.with_suffix(".1"))
logging.info("after the rotation")
"""


def test_setting_writes_json_to_a_file_that_may_be_moved(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    subprocess.run([sys.executable, "-c", PROGRAM, str(path), KEY], cwd=ROOT, check=True, timeout=60)
    assert json.loads(path.with_suffix(".1").read_text())["message"] == f"the key is {REDACTED}"
    assert json.loads(path.read_text())["message"] == "after the rotation"


def test_servers_records_go_the_same_way() -> None:
    setting = build_server_logging(Environment({}))
    assert setting["loggers"]["gunicorn.error"] == {"handlers": ["chosen"], "propagate": False}
    assert setting["loggers"]["uvicorn.access"] == {"handlers": [], "propagate": False}
