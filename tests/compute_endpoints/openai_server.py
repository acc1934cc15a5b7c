"""A framework's server for tests of what starts it: the standard library alone, for it runs in the agent's environment.

    python openai_server.py --model NAME --port PORT [--host HOST] [--ready-after S] [--sick-while FILE] [--orphan]

It answers chat completions with four words, says on ``/arguments`` how it was started, and is not well for its first
S seconds and while FILE exists. With ``--orphan`` it starts a process that ignores being told to end.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WORDS = ["The", " quick", " brown", " fox"]
USAGE = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
ORPHAN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--ready-after", type=float, default=0)
    parser.add_argument("--sick-while", type=Path, default=Path("/nonexistent"))
    parser.add_argument("--orphan", action="store_true")
    return parser.parse_known_args()[0]


class Server(ThreadingHTTPServer):
    """Listens; knows how it was started."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__((arguments.host, arguments.port), Handler)
        self.arguments = arguments
        self.ready_at = time.monotonic() + arguments.ready_after

    @property
    def is_well(self) -> bool:
        return time.monotonic() >= self.ready_at and not self.arguments.sick_while.exists()


class Handler(BaseHTTPRequestHandler):
    """The routes."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer({"pid": os.getpid()}, 200 if self.server.is_well else 503)
        else:
            self.answer({"arguments": sys.argv[1:], "environment": dict(os.environ)})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["model"] != self.server.arguments.model:
            self.answer({"error": {"message": f"no model {body['model']}", "code": 404}}, 404)
        elif body.get("stream"):
            self.stream(body)
        else:
            message = {"role": "assistant", "content": "".join(WORDS)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self.answer({**head(body, "chat.completion"), "choices": [choice], "usage": USAGE})

    def stream(self, body: dict[str, object]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in WORDS)]
        choices: list[list[object]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
        choices.append([{"index": 0, "delta": {}, "finish_reason": "stop"}])
        chunks = [{**head(body, "chat.completion.chunk"), "choices": choice} for choice in choices]
        chunks.append({**head(body, "chat.completion.chunk"), "choices": [], "usage": USAGE})
        for chunk in chunks:
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def answer(self, document: dict[str, object], status: int = 200) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def head(body: dict[str, object], kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"]}


def main() -> None:
    arguments = parse_arguments()
    if arguments.orphan:
        subprocess.Popen([sys.executable, "-c", ORPHAN])
    Server(arguments).serve_forever()


if __name__ == "__main__":
    main()
