"""One rule for the device: what `auto` takes, what is refused, and with which words."""

import logging

import pytest
import torch

from kronosforge.core.errors import UsageError
from kronosforge.model import PRESETS, KronosTokenizer, devices
from kronosforge.model.devices import available, choose, gpu_of


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A machine with the kinds of device that are named; the CPU is always there."""

    def with_devices(*kinds: str, gpus: int = 1) -> None:
        monkeypatch.setattr("torch.cuda.is_available", lambda: "cuda" in kinds)
        monkeypatch.setattr("torch.cuda.device_count", lambda: gpus if "cuda" in kinds else 0)
        monkeypatch.setattr("torch.backends.mps.is_available", lambda: "mps" in kinds)
        devices._report_cpu.cache_clear()

    return with_devices


@pytest.mark.parametrize(
    ("kinds", "trained_on", "sampled_on"),
    [((), "cpu", "cpu"), (("mps",), "mps", "cpu"), (("cuda", "mps"), "cuda:0", "cuda:0")],
)
def test_auto_takes_the_best_device_that_can_do_the_work(
    machine, kinds: tuple[str, ...], trained_on: str, sampled_on: str
) -> None:
    machine(*kinds)
    assert choose("auto") == choose() == torch.device(trained_on)
    assert choose("auto", float64=True) == torch.device(sampled_on)


def test_mps_hands_sampling_to_the_cpu_and_says_so_once(machine, caplog: pytest.LogCaptureFixture) -> None:
    machine("mps")
    with caplog.at_level(logging.WARNING):
        assert [choose("mps", float64=True).type for _ in range(2)] == ["cpu", "cpu"]
    assert [record.message for record in caplog.records] == [
        "Sampling needs float64, which MPS does not support: forecasting on the CPU instead"
    ]
    assert choose("mps").type == "mps"


def test_cuda_without_a_number_is_the_process_own_gpu(machine) -> None:
    machine("cuda", gpus=4)
    assert choose("cuda", local_rank=3) == torch.device("cuda", 3)
    assert choose("cuda:1", local_rank=3) == torch.device("cuda", 1)
    with pytest.raises(UsageError, match="cuda:4 does not exist; this machine has 4 CUDA"):
        choose("cuda:4")


@pytest.mark.parametrize("name", ["gpu", "CUDA", "", "cuda:", "cuda:x", "cuda:-1", "cpu:1", "auto:0", "meta"])
def test_an_unknown_name_lists_those_allowed(name: str) -> None:
    with pytest.raises(UsageError, match=r"Unknown device .*allowed: auto, cpu, cuda, cuda:N .*, mps"):
        choose(name)


@pytest.mark.parametrize(("name", "label"), [("cuda", "CUDA"), ("cuda:0", "CUDA"), ("mps", "MPS")])
def test_a_device_that_the_machine_lacks_names_those_it_has(machine, name: str, label: str) -> None:
    machine()
    with pytest.raises(UsageError, match=rf"^{label} is not available on this machine \(available: cpu\)$"):
        choose(name)


def test_networks_take_the_same_names(machine) -> None:
    machine()
    network = KronosTokenizer(PRESETS["tiny"].tokenizer)
    assert network.to("auto") is network
    assert network.to(torch.float64).head.weight.dtype == torch.float64
    for move in (
        lambda: network.to("cuda"),
        lambda: network.to(torch.device("cuda")),
        lambda: network.to(device="cuda"),
        lambda: KronosTokenizer.from_pretrained("anywhere", device="cuda"),
    ):
        with pytest.raises(UsageError, match="CUDA is not available on this machine"):
            move()


def test_a_number_may_follow_a_device_that_there_is_one_of() -> None:
    assert choose("cpu:0") == torch.device("cpu")
    assert choose(torch.device("cpu")) == torch.device("cpu")
    assert available()[-1] == "cpu"


@pytest.mark.parametrize(
    ("name", "gpu"),
    [
        ("auto", "any"),
        ("cuda", "any"),
        ("cuda:0", 0),
        ("cuda:3", 3),
        ("cpu", None),
        ("cpu:0", None),
        ("mps", None),
        ("tpu", None),
    ],
)
def test_a_device_name_says_which_gpu_it_is(name: str, gpu: object) -> None:
    assert gpu_of(name) == gpu
