"""A host name that a cluster reports is used only if the operator's row lists it."""

import pytest

from resource_server.domain.direct_hosts import find_allowed, parse_pattern

PATTERNS = ("x3*.hsn.example.org", "login.example.org", "10.1.2.3", "*.nodes.example.org")


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("x3005c0s7b0n0.hsn.example.org", "x3005c0s7b0n0.hsn.example.org"),
        ("X3005.HSN.example.org", "x3005.hsn.example.org"),
        ("login.example.org", "login.example.org"),
        ("n1.nodes.example.org", "n1.nodes.example.org"),
        ("10.1.2.3", "10.1.2.3"),
    ],
)
def test_listed_host_is_found(name: str, host: str) -> None:
    assert find_allowed(name, PATTERNS) == host


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x3005",
        "x3.hsn.example.org",
        "x3a.b.hsn.example.org",
        "x35.hsn.example.org.evil.com",
        "evil.com#x35.hsn.example.org",
        "evil.com/x35.hsn.example.org",
        "user@x35.hsn.example.org",
        "x35.hsn.example.org:22",
        "x35.hsn.example.org.",
        "x35..hsn.example.org",
        "x35.hsn.example.org\n",
        "x35 .hsn.example.org",
        "x3\u0430.hsn.example.org",
        "x3%2e.hsn.example.org",
        "-x35.hsn.example.org",
        "x3-.hsn.example.org",
        "127.0.0.1",
        "10.1.2.4",
        "0x7f000001",
        "2130706433",
        "[::1]",
        "::1",
        "localhost",
        "169.254.169.254",
        "a" * 64 + ".nodes.example.org",
        "x3" + "a." * 200 + "hsn.example.org",
    ],
)
def test_any_other_host_is_not(name: str) -> None:
    assert find_allowed(name, PATTERNS) is None


def test_no_patterns_allow_nothing() -> None:
    assert find_allowed("login.example.org", ()) is None


@pytest.mark.parametrize(
    "pattern", ["*", "*.", "x3*", "a*b*.example.org", "http://a.b", "a b", "", "10.1.2.*", "a/b", "*.*"]
)
def test_pattern_that_says_too_much_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"host names|one by one|domain"):
        parse_pattern(pattern)
