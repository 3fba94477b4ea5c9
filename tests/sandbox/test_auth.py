"""Signed requests: each of OKX's refusals, in its order."""

import base64
import hashlib
import hmac

import pytest

from kronosforge.core.bars import iso

from .asking import NOW, get

PATH = "/account/config"


def signed(path="/api/v5/account/config", timestamp=None, secret="sandbox-secret", **changes):
    """Headers of a good request; `changes` replace (or, with None, drop) KEY, PASSPHRASE, SIGN or TIMESTAMP."""
    timestamp = timestamp or iso(NOW).replace("Z", ".000Z")
    sign = base64.b64encode(hmac.new(secret.encode(), f"{timestamp}GET{path}".encode(), hashlib.sha256).digest())
    parts = {"KEY": "sandbox-key", "PASSPHRASE": "sandbox-passphrase", "SIGN": sign.decode(), "TIMESTAMP": timestamp}
    return {f"OK-ACCESS-{name}": value for name, value in (parts | changes).items() if value is not None}


def test_a_good_signature_is_let_in(server):
    answer = get(server.url, PATH, headers=signed())
    assert (answer.status, answer.code, answer.body["data"][0]["perm"]) == (200, "0", "read_only")


def test_the_query_is_signed_too(server):
    headers = signed("/api/v5/account/config?a=1%2B2")
    assert get(server.url, f"{PATH}?a=1%2B2", headers=headers).code == "0"
    assert get(server.url, f"{PATH}?a=1%2B3", headers=headers).code == "50113"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"KEY": None}, 401, "50103"),
        ({"PASSPHRASE": None}, 401, "50104"),
        ({"SIGN": None}, 401, "50106"),
        ({"TIMESTAMP": None}, 401, "50107"),
        ({"KEY": "unheard-of"}, 401, "50111"),
        ({"KEY": "sandbox-key-elsewhere"}, 200, "50119"),
        ({"KEY": "sandbox-key-bound"}, 401, "50110"),
        ({"KEY": "sandbox-key-demo"}, 401, "50101"),
        ({"timestamp": "2026-01-01T00:29:59.999Z"}, 401, "50102"),
        ({"timestamp": "2026-01-01T00:31:00.001Z"}, 401, "50102"),
        ({"timestamp": "1767227430"}, 401, "50112"),
        ({"timestamp": "2026-01-01T00:30:30.000"}, 401, "50112"),
        ({"PASSPHRASE": "wrong"}, 401, "50105"),
        ({"secret": "wrong"}, 401, "50113"),
        ({"SIGN": "ünsigned"}, 401, "50113"),
    ],
)
def test_what_is_wrong_is_said_with_its_code(server, changes, status, code):
    headers = {name: value.encode() for name, value in signed(**changes).items()}
    answer = get(server.url, PATH, headers=headers)
    assert (answer.status, answer.code) == (status, code)
    assert ("data" in answer.body) == (status == 200)


def test_the_edge_of_the_window_is_inside(server):
    assert get(server.url, PATH, headers=signed(timestamp="2026-01-01T00:30:00.000Z")).code == "0"


def test_a_real_key_does_not_open_demo_trading(server):
    assert get(server.url, PATH, headers=signed() | {"x-simulated-trading": "1"}).code == "50101"


def test_no_answer_repeats_a_secret(server):
    answers = [get(server.url, PATH, headers=signed(**c)).text for c in ({}, {"secret": "x"}, {"PASSPHRASE": "mine"})]
    assert not any(word in text for text in answers for word in ("sandbox-secret", "sandbox-passphrase", "mine"))
    assert "sandbox-secret" not in repr(server.sandbox.credentials)
