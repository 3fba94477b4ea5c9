"""Running it: on this machine only, cleanly begun and ended."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from kronosforge.core.errors import ConfigError, UsageError
from kronosforge.sandbox import build, running

from .asking import get

LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp


def listening(port):
    """The addresses on which this machine listens on `port`, as the kernel says."""
    addresses = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        addresses += [
            row[1].split(":")[0] for row in rows if row[3] == LISTENING and int(row[1].split(":")[1], 16) == port
        ]
    return addresses


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/net")
def test_it_binds_the_loopback_address_only():
    with running() as server:
        assert listening(int(server.url.rpartition(":")[2])) == ["0100007F"]


def test_it_ends_with_its_block():
    before = threading.active_count()
    with running() as server:
        get(server.url, "/public/time")
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        get(server.url, "/public/time")


def test_an_open_connection_does_not_hold_it_up():
    with running() as server, socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))):
        assert get(server.url, "/public/time").status == 200


def test_an_error_in_the_block_is_the_error_that_rises():
    with pytest.raises(ZeroDivisionError), running():
        1 / 0  # noqa: B018 - the point is that it raises


def test_a_taken_port_is_said():
    with running() as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(UsageError, match=f"cannot listen on port {port}"), running(port=port):
            pass


def test_a_port_that_cannot_be_is_said():
    with pytest.raises(UsageError, match="cannot listen on port 70000"), running(port=70_000):
        pass


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"clock": "soon"}, ConfigError), ({"clock": "2100-01-01"}, UsageError), ({"faults": "fire=1"}, UsageError)],
)
def test_invalid_arguments_are_refused_before_it_runs(arguments, error):
    with pytest.raises(error):
        build(**arguments)


def test_without_a_clock_it_runs_with_real_time():
    with running() as server:
        earliest = time.time() * 1000 - 1
        answered = int(get(server.url, "/public/time").body["data"][0]["ts"])
    assert earliest <= answered <= time.time() * 1000


def test_the_command_prints_its_url_and_serves_until_told_to_stop():
    code = "from kronosforge.sandbox import main; main(port=0, replay=None, seed=0, clock='2026-01-01', faults='', edge=None)"
    environment = os.environ | {"PYTHONWARNINGS": "error"}
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True, env=environment) as process:
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/api/v5/public/time") as answer:
            assert b"1767225600000" in answer.read()
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "", "")
