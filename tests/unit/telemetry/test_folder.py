"""Workers that share a folder: sums are right, and never go down."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resource_server.telemetry.folder import Folder
from resource_server.telemetry.page import Page, parse_page
from resource_server.telemetry.series import CATALOGUE_AGE, QUEUE_WAIT, RELAY_STREAMS, REQUESTS

KEY = ("chat/completions", "polaris", "200", "")


def build_page(requests: int, streams: int = 0, age_s: float = 0.0) -> Page:
    waits = [0.25 * requests, *([0.0] * 4), float(requests), *([0.0] * (len(QUEUE_WAIT.buckets) - 4))]
    return Page(
        {
            REQUESTS.name: {KEY: requests},
            QUEUE_WAIT.name: {("full",): waits},
            RELAY_STREAMS.name: {(): streams},
            CATALOGUE_AGE.name: {(): age_s},
            "process_cpu_seconds_total": {("1",): 3.0},
        },
        {"models": {"m": requests}},
    )


def gather(folder: Folder, own: Page | None = None) -> Page:
    """What the workers count, `folder`'s being `own`, or what it has put there."""
    page = folder.directory / f"{folder.name}.page"
    with folder.guarded():
        return folder.gather(own or (parse_page(page.read_bytes()) if page.exists() else Page()))


def find(page: Page, name: str) -> object:
    return next(iter(page.series.get(name, {}).values()), None)


def test_page_survives_its_encoding() -> None:
    page = build_page(3, 2, 1.5)
    assert parse_page(page.encode()) == page


@pytest.mark.parametrize("data", [b"", b"{}", b"[1,2]", b"[{},[]]", b'[{"a":[1]},{}]', b'[{"a":[[1,2]]},{}]'])
def test_garbage_is_no_page(data: bytes) -> None:
    with pytest.raises(ValueError, match="no page"):
        parse_page(data)


def test_counters_and_histograms_are_added_up_and_gauges_as_they_say(tmp_path: Path) -> None:
    one, two = Folder(tmp_path, "one"), Folder(tmp_path, "two")
    one.publish(build_page(3, streams=2, age_s=1.0))
    two.publish(build_page(4, streams=5, age_s=7.0))
    for folder in (one, two):
        page = gather(folder)
        assert find(page, REQUESTS.name) == 7
        assert find(page, RELAY_STREAMS.name) == 7
        assert find(page, CATALOGUE_AGE.name) == 7.0
        waits = page.series[QUEUE_WAIT.name]["full",]
        assert isinstance(waits, list)
        assert (waits[0], sum(waits[1:])) == (0.25 * 7, 7)
        assert page.busy == {"models": {"m": 7}}
    one.close()
    two.close()


def test_what_a_worker_counted_stays_when_it_is_gone_and_its_gauges_do_not(tmp_path: Path) -> None:
    one, two = Folder(tmp_path, "one"), Folder(tmp_path, "two")
    one.publish(build_page(3, streams=2))
    two.publish(build_page(4, streams=5))
    two.close()
    for _ in range(3):
        page = gather(one)
        assert find(page, REQUESTS.name) == 7
        assert find(page, RELAY_STREAMS.name) == 2
        assert find(page, "process_cpu_seconds_total") == 3.0
    assert not list(tmp_path.glob("two*"))
    three = Folder(tmp_path, "three")
    three.publish(build_page(1))
    three.close()
    assert find(gather(one), REQUESTS.name) == 8
    one.close()


def test_worker_that_gathered_and_died_before_it_tidied_up_counts_nobody_twice(tmp_path: Path) -> None:
    one, two = Folder(tmp_path, "one"), Folder(tmp_path, "two")
    two.publish(build_page(4))
    two.close()
    left = {path: path.read_bytes() for path in tmp_path.glob("two*")}
    gather(one)
    for path, data in left.items():
        path.write_bytes(data)
    assert find(gather(one), REQUESTS.name) == 4
    assert find(gather(one), REQUESTS.name) == 4
    one.close()


def test_first_worker_of_a_new_start_begins_anew_and_the_next_joins_it(tmp_path: Path) -> None:
    old = Folder(tmp_path, "old")
    old.publish(build_page(9))
    gather(old)
    old.close()
    one = Folder(tmp_path, "one")
    one.publish(build_page(1))
    two = Folder(tmp_path, "two")
    assert find(gather(two), REQUESTS.name) == 1
    one.close()
    two.close()


def test_killed_process_is_found_dead_and_what_it_counted_is_kept(tmp_path: Path) -> None:
    one = Folder(tmp_path, "one")
    (tmp_path / "page").write_bytes(build_page(5, streams=1).encode())
    program = (
        "import pathlib, sys, time\n"
        "from resource_server.telemetry.folder import Folder\n"
        "from resource_server.telemetry.page import parse_page\n"
        "directory = pathlib.Path(sys.argv[1])\n"
        "Folder(directory, 'two').publish(parse_page((directory / 'page').read_bytes()))\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            assert find(gather(one), RELAY_STREAMS.name) == 1
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    page = gather(one)
    assert (find(page, REQUESTS.name), find(page, RELAY_STREAMS.name)) == (5, None)
    one.close()


def test_full_disk_hides_neither_the_own_counts_nor_those_of_others(tmp_path: Path) -> None:
    one, two, three = (Folder(tmp_path, name) for name in ("one", "two", "three"))
    for folder, requests in ((one, 1), (two, 2), (three, 4)):
        folder.publish(build_page(requests))
    three.close()
    for name in ("one.page", "retired"):
        (tmp_path / f"{name}.new").mkdir()  # where the file should be written
    with pytest.raises(OSError, match=r"one\.page\.new"):
        one.publish(build_page(3))
    for _ in range(2):
        assert find(gather(one, build_page(3)), REQUESTS.name) == 9
    one.close()
    two.close()


def test_torn_page_is_passed_over(tmp_path: Path) -> None:
    one, two = Folder(tmp_path, "one"), Folder(tmp_path, "two")
    one.publish(build_page(3))
    (tmp_path / "two.page").write_bytes(b'[{"gateway_req')
    assert find(gather(one), REQUESTS.name) == 3
    one.close()
    two.close()
