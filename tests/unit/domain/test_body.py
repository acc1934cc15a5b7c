"""`parse_body`, `check_for_target`, `encode_for_target`: tables of what passes and what does not."""

from typing import Any

import orjson
import pytest

from resource_server.domain.body import NEVER_ALLOWED, REFUSED, check_for_target, encode_for_target, parse_body
from resource_server.domain.errors import (
    InvalidValue,
    RequestTooLarge,
    UnsupportedOperation,
    UnsupportedParameter,
)
from resource_server.domain.operations import Operation
from resource_server.domain.targets import Target, parse_target

CHAT: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
DATA_URL = "data:image/png;base64,AAAA"


def target(**fields: object) -> Target:
    return parse_target(
        {"backend": "simulated", "cluster": "sophia", "framework": "vllm", "model": "org/tiny", **fields}
    )


def chat(**fields: object) -> bytes:
    return orjson.dumps({**CHAT, **fields})


def check(raw: bytes, where: Target, operation: Operation = Operation.CHAT_COMPLETIONS) -> None:
    check_for_target(parse_body(raw, operation), where)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 3}, "model"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"stream_options": {}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"max_tokens": "10"}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"n": 0}, "n"),
        ({"n": "2"}, "n"),
        ({"best_of": 0}, "best_of"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "user"}, "hi"]}, "messages"),
    ],
)
def test_chat_field_that_the_gateway_reads_is_validated(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_body(chat(**fields), Operation.CHAT_COMPLETIONS)
    assert caught.value.param == param
    assert caught.value.code == "invalid_value"


@pytest.mark.parametrize(("operation", "field"), [(Operation.COMPLETIONS, "prompt"), (Operation.EMBEDDINGS, "input")])
@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("text", True),
        (["a", "b"], True),
        ([1, 2], True),
        ([[1], [2, 3]], True),
        (None, False),
        ([], False),
        ([[]], False),
        ([True], False),
        (["a", 1], False),
        ([[1], ["a"]], False),
        ([[1], 2], False),
        ({"text": "a"}, False),
        (7, False),
    ],
)
def test_prompt_and_input_take_text_and_tokens(
    operation: Operation, field: str, value: object, *, accepted: bool
) -> None:
    raw = orjson.dumps({"model": "tiny", field: value})
    if accepted:
        assert parse_body(raw, operation).document[field] == value
        return
    with pytest.raises(InvalidValue) as caught:
        parse_body(raw, operation)
    assert caught.value.param == field


def test_embeddings_do_not_stream() -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_body(b'{"model": "tiny", "input": "a", "stream": true}', Operation.EMBEDDINGS)
    assert caught.value.param == "stream"


def test_null_stands_for_an_absent_optional_field() -> None:
    body = parse_body(chat(stream=None, stream_options=None, max_tokens=None, n=None), Operation.CHAT_COMPLETIONS)
    assert (body.stream, body.include_usage) == (False, False)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_field_that_reaches_into_the_engine_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        check(chat(**{name: {"x": 1}}), target())
    assert caught.value.param is not None
    assert caught.value.param.startswith(name)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_target_opens_refused_fields_except_those_that_steer_the_cluster(name: str) -> None:
    open_target = target(allowed_parameters=sorted(REFUSED))
    if name not in NEVER_ALLOWED:
        check(chat(**{name: 1}), open_target)
        return
    with pytest.raises(UnsupportedParameter):
        check(chat(**{name: 1}), open_target)


def test_prompt_embeds_stand_for_the_prompt_only_where_the_target_takes_them() -> None:
    raw = b'{"model": "tiny", "prompt_embeds": "AAAA"}'
    check(raw, target(allowed_parameters=["prompt_embeds"]), Operation.COMPLETIONS)
    with pytest.raises(UnsupportedParameter):
        check(raw, target(), Operation.COMPLETIONS)


def test_unknown_fields_pass() -> None:
    check(chat(brand_new_parameter={"deep": [1]}, tools=[{"type": "function"}], seed=7), target())


@pytest.mark.parametrize(
    ("kwargs", "accepted"),
    [
        ({"enable_thinking": False}, True),
        ({"thinking": True, "thinking_budget": 100}, True),
        ({"enable_thinking": {"a": 1}}, False),
        ({"chat_template": "{{ x }}"}, False),
        ({"enable_thinking": True, "tools": "x"}, False),
    ],
)
def test_template_switches_pass_and_nothing_else(kwargs: dict[str, object], *, accepted: bool) -> None:
    if accepted:
        check(chat(chat_template_kwargs=kwargs), target())
        return
    with pytest.raises(UnsupportedParameter) as caught:
        check(chat(chat_template_kwargs=kwargs), target())
    assert str(caught.value.param).startswith("chat_template_kwargs.")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 17}, "n"),
        ({"best_of": 17}, "best_of"),
        ({"logprobs": 21}, "logprobs"),
        ({"logprobs": -1}, "logprobs"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"max_tokens": 101}, "max_tokens"),
        ({"max_completion_tokens": 101}, "max_completion_tokens"),
    ],
)
def test_value_over_the_targets_cap_is_refused(fields: dict[str, object], param: str) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        check(chat(**fields), target(caps={"max_output_tokens": 100}))
    assert caught.value.param == param


def test_values_up_to_the_caps_pass() -> None:
    fields = {
        "n": 16,
        "best_of": 16,
        "logprobs": True,
        "top_logprobs": 20,
        "max_tokens": 100,
        "max_completion_tokens": 100,
    }
    check(chat(**fields), target(caps={"max_output_tokens": 100}))


@pytest.mark.parametrize("value", ["999", 2.5, [999]])
def test_capped_field_in_disguise_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue) as caught:
        check(chat(top_logprobs=value), target())
    assert caught.value.param == "top_logprobs"


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}},
        {"type": "image_url", "image_url": "https://evil.example/a.png"},
        {"image_url": "https://evil.example/a.png"},
        {"type": "text", "text": "hi", "video_url": {"url": "file:///etc/passwd"}},
        {"type": "audio_url", "audio_url": {"url": ["https://evil.example"]}},
        {"type": "file", "file_url": "https://evil.example/a.pdf"},
    ],
)
def test_media_by_url_is_refused_in_every_role(role: str, part: dict[str, object]) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        check(chat(messages=[{"role": role, "content": [{"type": "text", "text": "see"}, part]}]), target())
    assert str(caught.value.param).startswith("messages[0].content[1].")


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        (DATA_URL, True),
        ("DATA:image/png,x", True),
        ("https://media.example/a.png", True),
        ("http://Media.Example/a?b=c", True),
        ("https://media.example:8443/a", True),
        ("https://media.example:9/a", False),
        ("https://media.example.evil.example/a", False),
        ("https://evil.example/media.example", False),
        ("https://media.example@evil.example/", False),
        ("https://user@media.example/", False),
        ("https://evil.example\\@media.example/", False),
        ("https://media.example\\.evil.example/", False),
        ("https://media.exa\nmple/", False),
        (" https://media.example/", False),
        ("ftp://media.example/a", False),
        ("//media.example/a", False),
        ("https://[media.example/", False),
        ("", False),
    ],
)
def test_media_host_is_matched_whole(url: str, *, accepted: bool) -> None:
    where = target(media_hosts=["media.example", "media.example:8443"])
    raw = chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}])
    if accepted:
        check(raw, where)
        return
    with pytest.raises(UnsupportedParameter):
        check(raw, where)


def test_media_inside_the_request_passes() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": DATA_URL, "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "text", "text": "see https://evil.example"},
        "odd",
    ]
    check(chat(messages=[{"role": "user", "content": parts}]), target())


def test_operation_that_the_target_does_not_serve_is_refused() -> None:
    with pytest.raises(UnsupportedOperation):
        check(chat(), target(operations=["embeddings"]))


def test_body_over_the_targets_cap_is_too_large() -> None:
    raw = chat(messages=[{"role": "user", "content": "x" * 1024}])
    check(raw, target(max_body_bytes=len(raw)))
    with pytest.raises(RequestTooLarge):
        check(raw, target(max_body_bytes=len(raw) - 1))


def test_encoding_keeps_the_clients_bytes_when_nothing_must_change() -> None:
    raw = b'{ "model": "org/tiny", "messages": [{"role": "user"}], "seed": 1.0 }'
    body = parse_body(raw, Operation.CHAT_COMPLETIONS)
    assert encode_for_target(body, target()) is raw


def test_encoding_writes_the_rows_model_name() -> None:
    body = parse_body(chat(seed=7, brand_new={"a": 1}), Operation.CHAT_COMPLETIONS)
    sent = orjson.loads(encode_for_target(body, target()))
    assert sent == {**CHAT, "model": "org/tiny", "seed": 7, "brand_new": {"a": 1}}
    assert body.document["model"] == "tiny"


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"continuous_usage_stats": True}])
def test_encoding_asks_a_stream_for_usage_beside_the_clients_options(options: dict[str, object] | None) -> None:
    body = parse_body(chat(stream=True, stream_options=options), Operation.CHAT_COMPLETIONS)
    sent = orjson.loads(encode_for_target(body, target()))
    assert sent["stream_options"] == {**(options or {}), "include_usage": True}
    assert not body.include_usage


def test_stream_that_asks_for_usage_itself_is_not_rewritten() -> None:
    raw = chat(model="org/tiny", stream=True, stream_options={"include_usage": True})
    body = parse_body(raw, Operation.CHAT_COMPLETIONS)
    assert body.include_usage
    assert encode_for_target(body, target()) is raw
