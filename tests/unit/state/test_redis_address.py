import pytest

from resource_server.state.redis_address import RedisAddress, parse_redis_url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", RedisAddress("localhost", 6379, 0, False, None, None)),
        ("redis://10.0.0.1:7000/3", RedisAddress("10.0.0.1", 7000, 3, False, None, None)),
        ("redis://[::1]:7000/", RedisAddress("::1", 7000, 0, False, None, None)),
        ("rediss://:p%40ss@redis.example:6380/1", RedisAddress("redis.example", 6380, 1, True, None, "p@ss")),
        ("redis://gateway:secret@redis", RedisAddress("redis", 6379, 0, False, "gateway", "secret")),
    ],
)
def test_url_is_taken_apart(url: str, address: RedisAddress) -> None:
    assert parse_redis_url(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "unix:///run/redis.sock",
        "redis://",
        "redis://:hunter2@localhost/zero",
        "redis://:hunter2@localhost/0/1",
        "redis://:hunter2@localhost:port",
        "redis://:hunter2@localhost:99999",
        f"redis://:hunter2@{'x' * 64}.example",
    ],
)
def test_other_urls_are_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="REDIS_URL") as refusal:
        parse_redis_url(url)
    assert "hunter2" not in str(refusal.value)
