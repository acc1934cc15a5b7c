"""``make demo`` as a newcomer meets it, from its first line to its end. The simulated backend saves the model."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import openai
import pytest

from tests.e2e.demo_clone import END_WAIT_S, DemoClone

pytestmark = [pytest.mark.timeout(240)]

State = Mapping[str, Any]


@pytest.fixture
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoClone]:
    clone = DemoClone(tmp_path_factory.mktemp("clone"))
    yield clone
    clone.kill_all()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DemoClone, State]]:
    """A demo that the tests below share."""
    clone = DemoClone(tmp_path_factory.mktemp("shared"))
    process = clone.start("--simulated")
    try:
        yield clone, clone.wait_until_ready(process)
    finally:
        process.terminate()
        process.wait(END_WAIT_S)
        clone.kill_all()


def connect(state: State, token: str) -> openai.OpenAI:
    base_url = f"{state['base_url']}/resource_server/v1"
    return openai.OpenAI(base_url=base_url, api_key=token, max_retries=0, timeout=30)


def ask(state: State, token: str, model: str) -> str:
    with connect(state, token) as client:
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hello?"}], max_tokens=5
        )
    return answer.choices[0].message.content or ""


def ask_until_refused(state: State, token: str, model: str) -> tuple[int, str | None]:
    with pytest.raises(openai.APIStatusError) as caught:
        ask(state, token, model)
    return caught.value.status_code, caught.value.code


def test_state_says_where_everything_is(running: tuple[DemoClone, State]) -> None:
    clone, state = running
    assert state["base_url"] == f"http://127.0.0.1:{clone.port}"
    assert set(state["tokens"]) == {"alice", "bob", "charlie", "robot"}
    os.kill(state["pid"], 0)
    assert (clone.folder / ".demo" / "state.json").stat().st_mode & 0o777 == 0o600


def test_models_are_listed_by_who_may_use_them(running: tuple[DemoClone, State]) -> None:
    _, state = running
    listed = {}
    for name in ("alice", "bob", "robot"):
        with connect(state, state["tokens"][name]) as client:
            listed[name] = {model.id for model in client.models.list()}
    assert listed["alice"] == set(state["models"])
    assert listed["bob"] == listed["robot"]
    (premium,) = listed["alice"] - listed["bob"]
    assert ask(state, state["tokens"]["alice"], premium)
    assert ask_until_refused(state, state["tokens"]["bob"], premium) == (404, "model_not_found")


@pytest.mark.parametrize("name", ["alice", "bob", "robot"])
def test_open_model_answers(running: tuple[DemoClone, State], name: str) -> None:
    _, state = running
    assert ask(state, state["tokens"][name], state["models"][0])


def test_foreign_provider_is_refused(running: tuple[DemoClone, State]) -> None:
    _, state = running
    status, _ = ask_until_refused(state, state["tokens"]["charlie"], state["models"][0])
    assert status == 403


def test_made_up_token_is_refused(running: tuple[DemoClone, State]) -> None:
    _, state = running
    assert ask_until_refused(state, "made-up", state["models"][0]) == (401, "invalid_api_key")


@pytest.mark.skipif(shutil.which("curl") is None, reason="the printed line is curl's")
def test_printed_curl_lines_answer(running: tuple[DemoClone, State]) -> None:
    clone, _ = running
    lines = [line for line in clone.output.read_text(encoding="utf-8").splitlines() if line.startswith("curl ")]
    whole, streamed = (subprocess.run(shlex.split(line), capture_output=True, check=True).stdout for line in lines)
    assert b'"chat.completion"' in whole
    assert streamed.count(b"data: ") > 2
    assert streamed.rstrip().endswith(b"data: [DONE]")


def test_printed_sdk_snippet_answers(running: tuple[DemoClone, State]) -> None:
    clone, _ = running
    text = clone.output.read_text(encoding="utf-8")
    snippet = text[text.index("from openai import") : text.index("\nLogs are in")]
    result = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, check=True, timeout=30)
    whole, _, streamed = result.stdout.partition("\n")
    assert whole
    assert streamed


def test_metrics_are_where_the_state_says(running: tuple[DemoClone, State]) -> None:
    _, state = running
    text = openai.DefaultHttpxClient().get(state["metrics_url"]).text
    assert "# HELP" in text


def test_second_demo_in_the_folder_is_refused_and_harmless(running: tuple[DemoClone, State]) -> None:
    clone, state = running
    argv = [sys.executable, "-m", "demo", "--simulated"]
    second = subprocess.run(argv, cwd=clone.folder, capture_output=True, text=True, check=False, timeout=30)
    assert second.returncode == 1
    assert "already" in second.stderr
    assert ask(state, state["tokens"]["alice"], state["models"][0])


def test_demo_that_was_killed_leaves_nothing_and_the_next_ends_while_a_stream_runs(clone: DemoClone) -> None:
    clone.slow_down()
    process = clone.start("--simulated")
    killed = clone.wait_until_ready(process)
    process.kill()
    process.wait()
    assert clone.wait_until_gone(END_WAIT_S) == []

    (clone.folder / ".demo" / "state.json").unlink()  # a stale one would be taken for the next demo's
    process = clone.start("--simulated")
    state = clone.wait_until_ready(process)
    assert state["tokens"] != killed["tokens"]
    with connect(state, state["tokens"]["alice"]) as client:
        stream = client.chat.completions.create(
            model=state["models"][0], messages=[{"role": "user", "content": "Hello?"}], max_tokens=1900, stream=True
        )
        next(iter(stream))
        process.send_signal(signal.SIGINT)
        end_by = time.monotonic() + END_WAIT_S
        assert process.wait(END_WAIT_S) == 0
        assert clone.wait_until_gone(end_by - time.monotonic()) == []
    assert not (clone.folder / ".demo" / "state.json").exists()


def test_taken_port_is_named_and_nothing_stays(clone: DemoClone) -> None:
    with socket.create_server(("127.0.0.1", clone.port)):
        process = clone.start("--simulated")
        assert process.wait(30) == 1
    assert f"Port {clone.port} is taken" in clone.output.read_text(encoding="utf-8")
    assert clone.wait_until_gone(1) == []
