"""The inference function of a cluster: asks the framework on its own node and relays the answer while it comes.

`python vllm_register_function.py` registers the text of this whole file with Globus Compute. A worker executes that
text in an empty namespace and calls `vllm_inference_function`: so that uses the standard library alone, works from
Python 3.9 on, and keeps nothing between calls, for a task may be delivered twice. Protocol: docs/relay-protocol.md.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import hashlib
import http.client
import json
import os
import re
import secrets
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request
from typing import Any

OPERATIONS = frozenset(["chat/completions", "completions", "embeddings"])  # paths below the framework's /v1/
RELAY_TIMEOUT_S = 15.0  # the gateway holds a POST for up to 10 s: that is its backpressure
CONNECT_TIMEOUT_S, RELAY_GIVE_UP_S, PING_INTERVAL_S, STARTED_WAIT_S = 5.0, 30.0, 1.0, 3.0
BATCH_CHARS, BATCH_WAIT_S, BUFFER_CHARS = 4096, 0.03, 1_000_000
PART_CHARS = 160_000  # a message stays below 1 MiB even where every character is escaped to six bytes
RESULT_BYTES = 9_000_000  # Globus refuses results over 10 MB, measured on the serialised text
TRY_AGAIN = frozenset([0, 409, 429, 500, 502, 503, 504])  # 0: nobody answered
TOO_LARGE = ("answer_too_large", "the answer is larger than it may be")
ENDINGS = {410: ("stream_gone", "the gateway ended the stream"), 413: TOO_LARGE}
BROKE_OFF = ("framework_broken", "the framework's answer broke off")


class Failure(Exception):
    """Why there is no answer; `code` is one of the protocol's, or empty for a lost relay."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def describe(self) -> dict[str, Any]:
        """The ``error`` member of the last message, or of the result."""
        return {"error": {"code": self.code, "message": str(self)[:500]}}


def vllm_inference_function(payload: Any) -> str:
    """Ask the framework, relay its answer, and return the fallback truth as JSON text.

    The payload is ``{"model_params": {…, "openai_endpoint", "api_port"}, "relay"?: {"url", "ticket"},
    "gateway_request_id"?, "traceparent"?}``, the result ``{"gateway_result": 1, "status", "headers", "relayed",
    "body" or "end"}`` or ``{"gateway_result": 1, "error": {"code", "message"}}``.
    """
    framework = Framework()
    relay = Relay(framework)
    last = Failure("framework_broken", "the function itself failed").describe()
    try:
        relay.start(payload)
        members = ask(framework, relay, payload)
    except Failure as failure:
        last = failure.describe()
        members = (relay.refusal or failure).describe()
    finally:
        relay.finish(last)
        framework.close()
    return encode_result(members, payload)


def ask(framework: Framework, relay: Relay, payload: Any) -> dict[str, Any]:
    """Bring a call to the framework and its answer to the relay; returns the result's members. Raises `Failure`."""
    head = framework.open(*parse_call(payload))
    cutter = Cutter(is_stream=head["headers"]["content-type"].startswith("text/event-stream"))
    relay.push("", head)
    texts, chars, data = [], 0, b"unread"
    while data:
        data = framework.read()
        texts.append(cutter.feed(data, final=not data))
        relay.push(texts[-1])
        chars += len(texts[-1])
        if chars > RESULT_BYTES and not relay.is_open:
            raise Failure(*TOO_LARGE)
    body = "".join(texts)
    if not framework.is_delimited and not (body.rstrip().endswith("\ndata: [DONE]") or parse_object(body)):
        raise Failure(*BROKE_OFF)
    end = relay.finish({})
    if relay.refusal:
        raise relay.refusal
    return {**head, "relayed": True, "end": end} if end else {**head, "relayed": False, "body": body}


def encode_result(members: dict[str, Any], payload: Any) -> str:
    """The result as JSON text, small enough for Globus even when that text is serialised again.

    A gateway that does not know our results (and sends none of our marks) finds the framework's members at the top.
    """
    document = {**members, "gateway_result": 1}
    if not (isinstance(payload, dict) and payload.keys() & {"relay", "gateway_request_id"}):
        document = {**parse_object(members.get("body", "")), **document}
    text = json.dumps(document, ensure_ascii=False)
    if len(json.dumps(text)) > RESULT_BYTES:
        return json.dumps({**Failure(*TOO_LARGE).describe(), "gateway_result": 1})
    return text


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object in `text`; empty if it is not one."""
    with contextlib.suppress(ValueError):
        document = json.loads(text)
        return document if isinstance(document, dict) else {}
    return {}


def parse_call(payload: Any) -> tuple[str, int, bytes, dict[str, str]]:
    """A call's operation, port, body and own headers; what selects the framework leaves the body. Raises `Failure`."""
    params = payload.get("model_params") if isinstance(payload, dict) else None
    if not isinstance(params, dict):
        raise Failure("bad_request", "the payload needs model_params, an object")
    body = dict(params)
    operation, port = body.pop("openai_endpoint", None), body.pop("api_port", None)
    if not isinstance(operation, str) or operation not in OPERATIONS:
        raise Failure("bad_request", f"openai_endpoint must be one of {', '.join(sorted(OPERATIONS))}")
    if type(port) is not int or port not in range(1, 65536):
        raise Failure("bad_request", "api_port must be an integer from 1 to 65535")
    request_id = re.fullmatch(r"[A-Za-z0-9_-]{1,128}", str(payload.get("gateway_request_id", "")))
    trace = re.fullmatch(r"[0-9a-f-]{55}", str(payload.get("traceparent", "")))
    marks = {"X-Request-Id": request_id[0] if request_id else secrets.token_hex(8)}
    return operation, port, json.dumps(body).encode(), {**marks, **({"traceparent": trace[0]} if trace else {})}


class Framework:
    """One exchange with the framework on this node; `abort` may come from another thread at any time."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None
        self._is_aborted = False
        self._left: int | None = None
        self.is_delimited = False  # whether chunks or a length tell the body's end; else a crash looks like an end

    def open(self, operation: str, port: int, body: bytes, marks: dict[str, str]) -> dict[str, Any]:
        """Send a call; returns the answer's ``status`` and the ``headers`` worth passing on. Raises `Failure`."""
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", **marks}
        if os.environ.get("INFERENCE_SERVER_API_KEY"):
            headers["Authorization"] = "Bearer " + os.environ["INFERENCE_SERVER_API_KEY"]
        try:
            connection = self._connect(port)
            connection.request("POST", "/v1/" + operation, body, headers)
            self._response = response = connection.getresponse()
        except (OSError, ValueError, http.client.HTTPException) as exc:
            raise self._explain(exc) from exc
        self._left = None if response.chunked else response.length
        self.is_delimited = response.chunked or self._left is not None
        kept = {name: value for name in ("content-type", "retry-after") if (value := response.getheader(name))}
        return {"status": response.status, "headers": {"content-type": "application/octet-stream", **kept}}

    def read(self) -> bytes:
        """The next bytes of the body; ``b""`` at its end. Raises `Failure` if it breaks off."""
        if self._response is None or self._left == 0:
            return b""
        try:
            data = self._response.read1(65536)
        except (OSError, http.client.HTTPException) as exc:
            raise self._explain(exc) from exc
        if self._left is not None:
            self._left -= len(data)
        if not data and (self._is_aborted or self._left):
            raise Failure(*BROKE_OFF)
        return data

    def abort(self) -> None:
        """Cut the connection: the framework stops generating, and a thread that reads from it wakes up."""
        self._is_aborted = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it may have ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Release the connection."""
        if self._response is not None:
            self._response.close()
        if self._socket is not None:
            self._socket.close()

    def _connect(self, port: int) -> http.client.HTTPConnection:
        scheme = os.environ.get("INFERENCE_SERVER_SCHEME", "http")
        silence_s = float(os.environ.get("INFERENCE_SERVER_TIMEOUT_S", "3600"))
        connection = connect_to(scheme, "127.0.0.1", port, "INFERENCE_SERVER_CA_FILE", CONNECT_TIMEOUT_S)
        connection.connect()
        # Kept apart from the connection, which forgets its socket once it has read the head of a closing answer.
        self._socket = connection.sock
        self._socket.settimeout(silence_s)
        if self._is_aborted:
            raise OSError("the call was cancelled")
        return connection

    def _explain(self, exc: Exception) -> Failure:
        if self._socket is None:
            return Failure("framework_unreachable", f"cannot connect to the framework: {exc}")
        if isinstance(exc, socket.timeout):  # another class than TimeoutError before Python 3.10
            return Failure("framework_timeout", "the framework fell silent")
        return Failure(BROKE_OFF[0], f"{BROKE_OFF[1]}: {type(exc).__name__}")


def connect_to(scheme: str, host: str, port: int, ca_variable: str, timeout_s: float) -> http.client.HTTPConnection:
    """An unopened connection. TLS is verified, against the CA file that the environment may name."""
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    if scheme != "https":
        raise ValueError(f"the scheme must be http or https, not {scheme!r}")
    context = ssl.create_default_context(cafile=os.environ.get(ca_variable) or None)
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


class Cutter:
    """Makes text of bytes: whole events of a stream as they come, and never half a character."""

    def __init__(self, *, is_stream: bool) -> None:
        self._blanks = ("\n\n", "\r\n\r\n", "\r\r") if is_stream else ()
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._held = ""

    def feed(self, data: bytes, *, final: bool) -> str:
        """The text that may go out after `data`. Raises `Failure` for what is not UTF-8."""
        try:
            text = self._held + self._decoder.decode(data, final)
        except UnicodeDecodeError as exc:
            raise Failure("framework_broken", "the framework's answer is not UTF-8") from exc
        cut = len(text)
        if not final and cut <= PART_CHARS:
            cut = max((text.rfind(blank) + len(blank) for blank in self._blanks if blank in text), default=0)
        self._held = text[cut:]
        return text[:cut]


class Relay:
    """Posts an answer from a thread of its own, so that a silent framework cannot delay what the gateway says."""

    def __init__(self, framework: Framework) -> None:
        self.is_open = False  # whether the gateway may still take what is pushed; never so without a relay
        self.refusal: Failure | None = None  # why the gateway wants no more of this run, unlike a relay merely lost
        self._framework = framework
        self._attempt = secrets.token_hex(16)
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._is_answered = threading.Event()
        self._head: dict[str, Any] = {}
        self._text = ""
        self._last: dict[str, Any] | None = None
        self._end: dict[str, Any] | None = None
        self._seq = self._messages = self._bytes = 0
        self._hash = hashlib.sha256()
        self._sent: list[bytes] = []

    def start(self, payload: Any) -> None:
        """Say *started* if the payload names a relay. A gateway that is away does not stop the run.

        Raises `Failure` if nobody wants this run, or what is named is no relay.
        """
        address = payload.get("relay") if isinstance(payload, dict) else None
        if address is None:
            return
        try:
            link = Link(address["url"], address["ticket"])
        except (KeyError, TypeError, AttributeError, ValueError, OSError) as exc:
            raise Failure("bad_request", f"relay must hold url and ticket: {exc}") from exc
        self.is_open = True
        self._thread = threading.Thread(target=self._run, args=[link], name="relay", daemon=True)
        self._thread.start()
        self._is_answered.wait(STARTED_WAIT_S)
        if self.refusal:
            raise self.refusal

    def push(self, text: str, head: dict[str, Any] | None = None) -> None:
        """Queue text, waiting while the gateway lags behind. The head goes with the first, or alone if that is late."""
        with self._changed:
            self._changed.wait_for(lambda: not self.is_open or len(self._text) < BUFFER_CHARS)
            self._head = head or self._head
            if text and self.is_open:
                self._text += text
                self._changed.notify_all()

    def finish(self, last: dict[str, Any]) -> dict[str, Any] | None:
        """Queue the last message, an ``error`` or, if empty, the totals, and wait until it is answered.

        Returns the totals if the gateway has taken the whole answer, else `None`. Only the first call counts.
        """
        with self._changed:
            self._last = last if self._last is None else self._last
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        return self._end

    def _run(self, link: Link) -> None:
        message: dict[str, Any] = {"seq": 0}
        try:
            self._post(link, message)
            while not message.keys() & {"end", "error"}:
                message = self._next_message()
                self._post(link, message)
            self._end = message.get("end")
        except Failure as failure:
            if failure.code:
                self.refusal = failure
                self._framework.abort()
        finally:
            link.close()
            self._is_answered.set()
            with self._changed:
                self.is_open = False
                self._changed.notify_all()

    def _next_message(self) -> dict[str, Any]:
        """What is to be said now; empty, a ping, after a second without news."""
        with self._changed:
            self._changed.wait_for(lambda: self._text or self._last is not None, PING_INTERVAL_S)
            if self._text and self._messages:  # the first event goes at once, later ones are gathered
                self._changed.wait_for(lambda: len(self._text) >= BATCH_CHARS or self._last is not None, BATCH_WAIT_S)
            part, self._text = self._text[:PART_CHARS], self._text[PART_CHARS:]
            message, self._head = dict(self._head), {}
            last = None if self._text else self._last
            self._changed.notify_all()
        if part:
            message["data"] = part
            self._messages += 1
            self._bytes += len(part.encode())
            self._hash.update(part.encode())
        totals = {"messages": self._messages, "bytes": self._bytes, "sha256": self._hash.hexdigest()}
        if last is not None:
            message.update(last or {"end": totals})
        return {**message, "seq": self._seq} if message else {}

    def _post(self, link: Link, message: dict[str, Any]) -> None:
        """Post one message until it is taken. Raises `Failure`."""
        body = json.dumps({"attempt": self._attempt, **message}, ensure_ascii=False).encode()
        give_up_at, pause_s = time.monotonic() + RELAY_GIVE_UP_S, 0.05
        while True:
            status, retry_after_s = link.post(body)
            if status == http.HTTPStatus.OK:
                break
            is_futile = self._last is not None and not self._seq  # the answer is there, the gateway was never heard
            if status not in TRY_AGAIN or is_futile or time.monotonic() > give_up_at:
                raise Failure(*ENDINGS.get(status, ("", "the relay is lost")))
            self._is_answered.set()
            for sent in self._sent if status == http.HTTPStatus.CONFLICT else ():
                link.post(sent)
            time.sleep(retry_after_s or pause_s)
            pause_s = min(pause_s * 2, 2.0)
        self._is_answered.set()
        if message:
            self._seq += 1
            self._sent = [*self._sent[-31:], body]


class Link:
    """One kept-alive connection to the gateway's relay, tunnelled through the proxy that the environment names."""

    def __init__(self, url: str, ticket: str) -> None:
        """Connect to nothing yet. Raises `ValueError` for what is no address or ticket."""
        parts = urllib.parse.urlsplit(url)
        if not parts.hostname or not re.fullmatch(r"[!-~]{1,1000}", ticket):
            raise ValueError("the url has no host, or the ticket is not printable text")
        self._path = parts.path or "/"
        self._headers = {"Authorization": "Bearer " + ticket, "Content-Type": "application/json"}
        port = parts.port or (443 if parts.scheme == "https" else 80)
        proxy = "" if urllib.request.proxy_bypass(parts.hostname) else urllib.request.getproxies().get(parts.scheme)
        via = urllib.parse.urlsplit(proxy if "//" in proxy else "//" + proxy) if proxy else parts
        via_port = via.port or (3128 if proxy else port)
        self._connection = connect_to(parts.scheme, via.hostname or "", via_port, "RELAY_CA_FILE", RELAY_TIMEOUT_S)
        if proxy:
            user = urllib.parse.unquote(via.netloc.rpartition("@")[0]).encode()
            credentials = {"Proxy-Authorization": "Basic " + base64.b64encode(user).decode()} if user else {}
            self._connection.set_tunnel(parts.hostname, port, credentials)

    def post(self, body: bytes) -> tuple[int, float]:
        """Post one message. Returns the status and the seconds of ``Retry-After``; status 0 if nobody answered."""
        try:
            self._connection.request("POST", self._path, body, self._headers)
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0, 0.0
        wait = response.getheader("Retry-After") or ""
        return response.status, min(float(wait), 10.0) if wait.isdecimal() else 0.0

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()


if __name__ == "__main__":
    # A person's terminal, never a worker, whose environment need not have the SDK: hence the import down here.
    from registration import register_file

    register_file(__file__, vllm_inference_function.__name__, "vllm_register_function_sophia_multiple_models.txt")
