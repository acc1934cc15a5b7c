"""Server-sent events between a framework and a client: bytes pass unchanged while the gateway reads along.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream, with LF or CR LF.
"""

import re

import orjson

from resource_server.domain.errors import GatewayError
from resource_server.domain.usage import Usage

DONE = b"data: [DONE]\n\n"
"""The end of a stream that finished; sent by whoever knows that every byte before it was delivered."""

MAX_FRAME_BYTES = 1024 * 1024

_LINES_OF_COMMON_FRAME = 2  # one of data and the blank one: nothing to rewrite
_FRAME_END = re.compile(rb"\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")


def error_event(error: GatewayError) -> bytes:
    """The in-band form of a failure, after which the stream ends."""
    return b"data: " + error.encode() + b"\n\n"


def comment(text: str) -> bytes:
    """A heartbeat that clients skip; line breaks in `text` become spaces."""
    return b": " + " ".join(text.split()).encode() + b"\n\n"


def find_error(document: dict[str, object]) -> dict[str, object] | None:
    """The error that a framework put where an answer should be, in OpenAI's form or vLLM's flat one, else `None`."""
    if document.get("object") == "error":
        return document
    error = document.get("error")
    return error if error is None or isinstance(error, dict) else {"message": str(error)}


class StreamTap:
    """Passes a framework's stream on, frame by frame, and keeps what accounting and the ending depend on.

    Withheld from the client: ``[DONE]`` and in-band errors (the caller ends the stream), what follows them, a usage
    chunk nobody asked for, and what makes SDKs raise: ``id:`` and ``retry:`` fields and frames without data.

    Attributes:
        usage: the newest the framework reported, or `None`.
        content_started: content, or the reason there is none, has gone to the client: failover would show.
        events: content-bearing events so far; what a cancelled stream is charged by.
        done: ``[DONE]`` was seen.
        error: the framework's in-band error object, or `None`.
    """

    __slots__ = (
        "_finished",
        "_include_usage",
        "_pending",
        "_seen",
        "content_started",
        "done",
        "error",
        "events",
        "usage",
    )

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._pending = bytearray()
        self._seen: set[object] = set()
        self._finished: set[object] = set()
        self.usage: Usage | None = None
        self.content_started = False
        self.events = 0
        self.done = False
        self.error: dict[str, object] | None = None

    @property
    def finished(self) -> bool:
        """Whether a finish reason was seen for every choice that was seen."""
        return bool(self._seen) and self._seen == self._finished

    def feed(self, chunk: bytes) -> bytes:
        """What may go to the client now that `chunk` has come: whole frames, or nothing.

        Raises:
            ValueError: a frame over `MAX_FRAME_BYTES`, or data that is no JSON object.
        """
        if not self._pending and _is_one_frame(chunk):
            return self._pass(chunk)  # nearly always
        data = chunk
        if self._pending:
            # The end of a frame may be split between chunks, by at most two bytes of "\n\r\n".
            start = max(len(self._pending) - 2, 0)
            self._pending += chunk
            if _FRAME_END.search(self._pending, start) is None:
                self._check_size(len(self._pending))
                return b""
            data = bytes(self._pending)
            self._pending.clear()
        passed: list[bytes] = []
        position = 0
        for match in _FRAME_END.finditer(data):
            end = match.end()
            self._check_size(end - position)
            passed.append(self._pass(data[position:end]))
            position = end
        if position < len(data):
            self._pending += data[position:]
            self._check_size(len(self._pending))
        return b"".join(passed)

    def _check_size(self, size: int) -> None:
        if size > MAX_FRAME_BYTES:
            raise ValueError("the event is too large")

    def _pass(self, frame: bytes) -> bytes:
        if self.done or self.error is not None:
            return b""
        if frame.startswith(b"data: {") and frame.count(b"\n") == _LINES_OF_COMMON_FRAME:
            return frame if self._is_plain(frame) or self._read(frame[6:]) else b""
        return self._pass_fields(frame)

    def _is_plain(self, frame: bytes) -> bool:
        """Whether the bytes alone show one more piece of the first choice's content; if in doubt, they are parsed.

        A name within a JSON string cannot match: its closing quote would be escaped.
        """
        if (
            self.content_started
            and b'"finish_reason":null' in frame
            and b'"index":0' in frame
            and frame.count(b'"index"') == 1
            and (b'"usage"' not in frame or b'"usage":null' in frame)
            and b'"error"' not in frame
            and 0 in self._seen
        ):
            self.events += 1
            return True
        return False

    def _pass_fields(self, frame: bytes) -> bytes:
        """The frame without the fields that clients must not see; b"" if nothing is left to say."""
        end = _LINE_END.search(frame)
        line_end = end.group() if end else b"\n"
        lines = [line for line in _LINE_END.split(frame) if line]
        fields = [(line.partition(b":")[0], line) for line in lines]
        data = b"\n".join(line[5:].removeprefix(b" ") for name, line in fields if name == b"data")
        kept = [line for name, line in fields if name not in {b"id", b"retry"}]
        if not data.strip():
            kept = [line for name, line in fields if not name]
        elif not self._read(data):
            return b""
        return b"".join(line + line_end for line in [*kept, b""]) if kept else b""

    def _read(self, data: bytes) -> bool:
        """Note what the event says; False if it is withheld."""
        if data.strip() == b"[DONE]":
            self.done = True
            return False
        document = orjson.loads(data)
        if not isinstance(document, dict):
            raise ValueError("the event's data is no JSON object")
        self.error = find_error(document)
        if self.error is not None:
            return False
        usage = Usage.from_json(document.get("usage"))
        self.usage = usage or self.usage
        choices = document.get("choices")
        if isinstance(choices, list) and choices:
            self._read_choices(choices)
            return True
        return usage is None or self._include_usage

    def _read_choices(self, choices: list[object]) -> None:
        has_content = False
        for choice in choices:
            if not isinstance(choice, dict):
                raise ValueError("a choice is no JSON object")
            index = choice.get("index", 0)
            index = index if isinstance(index, int) else 0
            self._seen.add(index)
            if choice.get("finish_reason") is not None:
                self._finished.add(index)
                self.content_started = True
            has_content = has_content or _has_content(choice)
        if has_content:
            self.events += 1
            self.content_started = True


def _is_one_frame(chunk: bytes) -> bool:
    size = len(chunk)
    return 1 < size <= MAX_FRAME_BYTES and chunk.find(b"\n\n") == size - 2 and b"\r" not in chunk


def _has_content(choice: dict[str, object]) -> bool:
    delta = choice.get("delta")
    if isinstance(delta, dict):
        return any(value for name, value in delta.items() if name != "role")
    return bool(choice.get("text"))
