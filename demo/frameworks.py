"""The framework of the demo: one llama.cpp server for chat, one for embeddings."""

import functools
import signal
import sys

from demo import layout
from demo.catalogue import Models
from demo.environment import build_environ
from demo.openmp import find_openmp
from demo.ports import is_answering, pick_free_port
from demo.processes import Children, Program

LOAD_WAIT_S = 60.0


def start_frameworks(children: Children, models: Models) -> dict[str, int]:
    """Start both servers side by side and wait until they are ready; returns port by model. Raises `DemoError`."""
    chat_port, embedding_port = pick_free_port(), pick_free_port()
    servers = {
        chat_port: ["--model-name", models.chat],
        embedding_port: ["--model-name", models.embedding, "--embedding"],
    }
    started = {port: children.start(_program(port, options)) for port, options in servers.items()}
    for port, child in started.items():
        children.wait_until(child, functools.partial(is_answering, port, "/health"), LOAD_WAIT_S)
    return {models.chat: chat_port, models.premium: chat_port, models.embedding: embedding_port}


def _program(port: int, options: list[str]) -> Program:
    name = "embedding server" if "--embedding" in options else "chat server"
    argv = [sys.executable, "-m", "demo.llm_server", "--port", str(port), *options]
    return Program(name, argv, build_environ(find_openmp()), layout.ROOT, end_signal=signal.SIGKILL)
