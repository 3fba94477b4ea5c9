"""Checkpoints: saved, loaded, refused with a reason; real files, a real HTTP server in the hub's place."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kronosforge.core.addresses import is_proxy
from kronosforge.core.errors import ConfigError, ModelError
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from tests.model.test_parity import REFERENCE

pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no shared/ beside the checkout")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REFERENCE / "tokenizer_tiny", tmp_path / "a tokenizer"))


def test_what_is_saved_is_what_was_loaded(tmp_path: Path) -> None:
    network = KronosTokenizer.from_pretrained(REFERENCE / "tokenizer_tiny")
    network.save_pretrained(tmp_path / "copy")
    assert json.loads((tmp_path / "copy/config.json").read_text()) == json.loads(
        (REFERENCE / "tokenizer_tiny/config.json").read_text()
    )
    ours, reference = (load_file(f / "model.safetensors") for f in (tmp_path / "copy", REFERENCE / "tokenizer_tiny"))
    assert ours.keys() == reference.keys()
    assert all(torch.equal(ours[key], reference[key]) for key in reference)


def test_a_loaded_network_is_in_eval_mode(tmp_path: Path) -> None:
    network = KronosPredictor(PRESETS["tiny"].predictor).train()
    loaded = KronosPredictor.from_pretrained(network.save_pretrained(tmp_path / "p"))
    assert not any(module.training for module in loaded.modules())


def test_saving_replaces_a_checkpoint_and_leaves_the_rest(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    network = KronosTokenizer.from_pretrained(folder)
    with torch.no_grad():
        network.head.bias.add_(1)
    network.save_pretrained(folder)
    assert torch.equal(KronosTokenizer.from_pretrained(folder).head.bias, network.head.bias)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors", "notes.txt"]


def test_a_mix_up_of_classes_is_named() -> None:
    with pytest.raises(ModelError, match=r"not that of a Kronos predictor.*mixed up"):
        KronosPredictor.from_pretrained(REFERENCE / "tokenizer_tiny")
    with pytest.raises(ModelError, match=r"not that of a Kronos tokenizer.*mixed up"):
        KronosTokenizer.from_pretrained(REFERENCE / "predictor_tiny")


def weights(folder: Path, change: object) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)  # type: ignore[operator]
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.pop("head.bias"), "missing: head.bias"),
        (lambda t: t.update(extra=torch.zeros(1)), "unknown: extra"),
        (lambda t: t.update({"head.bias": torch.zeros(7)}), r"wrong shape: head.bias \(7,\) instead of \(6,\)"),
        (lambda t: t["head.bias"].fill_(torch.nan), "not finite: head.bias"),
    ],
)
def test_wrong_weights_are_refused_with_the_key(folder: Path, change: object, reason: str) -> None:
    weights(folder, change)
    with pytest.raises(ModelError, match=reason):
        KronosTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_truncated_file_is_refused_by_name(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match=f"{name} cannot be used"):
        KronosTokenizer.from_pretrained(folder)


def test_an_absent_folder_is_not_asked_of_the_hub(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no checkpoint at"):
        KronosTokenizer.from_pretrained(tmp_path / "nothing")


def test_a_checkpoint_is_named_by_its_caller_and_not_by_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRONOS_TOKENIZER_PATH", str(folder))
    with pytest.raises(ModelError, match="set KRONOS_TOKENIZER_PATH"):
        KronosTokenizer.from_pretrained("")


class Hub(SimpleHTTPRequestHandler):
    """Answers /OWNER/NAME/resolve/REVISION/FILE as the hub does: an ETag and the commit in the headers."""

    def translate_path(self, path: str) -> str:
        return str(REFERENCE / "tokenizer_tiny" / path.rpartition("/")[2])

    def send_response(self, code: int, message: str | None = None) -> None:
        super().send_response(code, message)
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("ETag", f'"{self.path.rpartition("/")[2]}"')

    def do_GET(self) -> None:
        if "/resolve/main/" in self.path and not self.path.startswith("/x"):
            super().do_GET()
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


LOAD = """
import sys
from kronosforge.core.errors import ModelError
from kronosforge.model import KronosTokenizer
try:
    print("bits", KronosTokenizer.from_pretrained("NeoQuasar/Kronos-Tokenizer-base").bits[0])
except ModelError as error:
    sys.exit(str(error))
"""


def load(cache: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: huggingface_hub reads its variables once, when it is imported."""
    environ = {**os.environ, "HF_HOME": str(cache), "KRONOS_LANG": "en", **variables}
    return subprocess.run([sys.executable, "-c", LOAD], env=environ, capture_output=True, text=True, check=False)


def test_a_mirror_is_asked_and_its_cache_serves_offline(hub: str, tmp_path: Path) -> None:
    first, second = load(tmp_path, HF_ENDPOINT=hub), load(tmp_path, HF_HUB_OFFLINE="1")
    assert (first.stdout, second.stdout) == ("bits 6\n", "bits 6\n")
    assert first.stderr == f"Hugging Face: Downloading NeoQuasar/Kronos-Tokenizer-base from {hub}\n"
    assert second.stderr == ""


@pytest.mark.parametrize("way", ["offline", "a hub without that model"])
def test_what_the_hub_does_not_give_names_three_ways_on(hub: str, tmp_path: Path, way: str) -> None:
    message = load(tmp_path, **({"HF_HUB_OFFLINE": "1"} if way == "offline" else {"HF_ENDPOINT": f"{hub}/x"})).stderr
    for way_on in ("KRONOS_TOKENIZER_PATH=DIR", "HF_ENDPOINT=", "--init scratch"):
        assert way_on in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    "endpoint", ["hf-mirror.com", "http://", "ftp://hf-mirror.com", "https://a b", "http://a:port"]
)
def test_a_mirror_that_is_no_address_is_refused(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(ConfigError, match=r"https://hf-mirror\.com"):
        KronosTokenizer.from_pretrained("NeoQuasar/Kronos-Tokenizer-base")


def test_an_empty_mirror_means_the_hub_itself(tmp_path: Path) -> None:
    """As it is set by `HF_ENDPOINT= kronosforge …`; offline, so that nothing is asked."""
    message = load(tmp_path, HF_ENDPOINT=" ", HF_HUB_OFFLINE="1").stderr
    assert "OfflineModeIsEnabled" in message or "offline" in message


def test_retries_and_their_reason_are_shown(tmp_path: Path) -> None:
    environ = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    command = [sys.executable, "-c", LOAD]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert process.poll() is None
        process.kill()
    assert first.startswith("Hugging Face: ")
    assert "Connection refused" in first


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"n_layers": "abc"}, "n_layers: Input should be a valid integer"),
        ({"d_model": -3}, "d_model: Input should be greater than or equal to 1"),
        ({"s2_bits": 10**30}, "s2_bits: "),
        ({"ff_dim": 10**30}, "ff_dim: "),
        ({"n_heads": 3}, "d_model 64 is not a multiple of n_heads 3"),
        ({"resid_dropout_p": 1.5}, "resid_dropout_p: "),
        ({"learn_te": 3}, "learn_te: "),
    ],
)
def test_arguments_that_no_network_has_are_refused_by_name(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    folder = KronosPredictor(PRESETS["tiny"].predictor).save_pretrained(tmp_path / "p")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError) as error:
        KronosPredictor.from_pretrained(folder)
    assert f"config.json cannot be used ({reason}" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["folder", "nested", "link"])
def test_what_is_no_file_of_a_checkpoint_is_refused_in_one_line(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage == "nested":
        path.write_text("[" * 100_000)
    else:
        path.symlink_to(path)
    with pytest.raises(ModelError, match=name) as error:
        KronosTokenizer.from_pretrained(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("proxy", ["http://[::1", "http://a:port", "ftp://127.0.0.1:7890"])
def test_a_proxy_that_is_no_address_is_refused(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ConfigError, match="HTTPS_PROXY is not the address of a proxy") as error:
        KronosTokenizer.from_pretrained("NeoQuasar/Kronos-Tokenizer-base")
    assert proxy not in str(error.value)  # it may hold a password


@pytest.mark.parametrize("proxy", ["127.0.0.1:7890", "http://user:secret@127.0.0.1:7890", "socks5h://[::1]:1080"])
def test_the_forms_of_a_proxy_that_httpx_takes_are_accepted(proxy: str) -> None:
    assert is_proxy(proxy)
