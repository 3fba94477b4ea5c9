"""One training step (encode, forward, loss, backward, clip, AdamW), against upstream's own networks and calls.

    KRONOS_HOME=~/Kronos python benchmarks/bench_train.py --size small|mini|tokenizer [--precision float32|bf16] [--json]

Batch 32, window 101, dropouts as published. Both sides start from the same weights and take the same batch, in turns, each
in processes of its own with the settings that each library makes for itself; the losses of both are compared first, without
dropout. The limit beside is that of the matrix products alone, at the rate that a plain product of this size reaches in
the same run.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

from kronosforge.config import TrainConfig
from kronosforge.dataset.loader import Batch
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.model.checkpoint import Checkpoint
from kronosforge.model.cpu import SETTINGS
from kronosforge.train.devices import Place, open_place
from kronosforge.train.loop import Training
from kronosforge.train.objectives import Objective, PredictorObjective, TokenizerObjective
from kronosforge.train.state import Stage, StageProgress

BATCH, WINDOW, ROUNDS = 32, 101, 3
FASTER = 2.0  # times upstream
SAME = 2e-5  # loss, float32


def batch(device: torch.device, size: int) -> Batch:
    """Candles and calendars of no market."""
    torch.manual_seed(0)
    x = torch.randn(size, WINDOW, 6).cumsum(dim=1).div(5).clip(-5, 5)
    stamp = torch.stack([torch.randint(0, n, (size, WINDOW)) for n in (60, 24, 7, 31, 12)], dim=-1)
    return Batch(x.to(device), stamp.to(device), torch.arange(size), size)


def ours(objective: Objective, here: Place, lr: float, clip: float, *, compile: bool) -> Training:  # noqa: A002
    """The loop's own step; what of a stage it does not touch is left out."""
    parameters = [p for p in objective.network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.1, fused=True)
    rules = TrainConfig(batch_size=4096, compile=compile)
    stage = Stage("", objective, None, optimizer, None, None, None, 0, rules, lr, clip, Path(), {})
    return Training(stage, StageProgress(first_loss=1e9), here)


def upstream_predictor(network: torch.nn.Module, tokenizer: torch.nn.Module, given: Batch) -> Callable[[], float]:
    """The calls of upstream's finetune/train_predictor.py."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-5, betas=(0.9, 0.95), weight_decay=0.1)
    stamp = given.stamp.float()

    def step() -> float:
        with torch.no_grad():
            s1, s2 = tokenizer.encode(given.x, half=True)
        logits = network(s1[:, :-1], s2[:, :-1], stamp[:, :-1, :])
        loss, _, _ = network.head.compute_loss(*logits, s1[:, 1:], s2[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), max_norm=3.0)
        optimizer.step()
        return loss.item()

    return step


def upstream_tokenizer(network: torch.nn.Module, given: Batch) -> Callable[[], float]:
    """The calls of upstream's finetune/train_tokenizer.py."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-4, weight_decay=0.1)

    def step() -> float:
        (coarse, full), quantizer, _, _ = network(given.x)
        loss = (F.mse_loss(coarse, given.x) + F.mse_loss(full, given.x) + quantizer) / 2
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), max_norm=2.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def flops(size: str, tokens: int) -> float:
    """Of the matrix products of one step: 2 a weight and token forward, 4 backward; attention's two products beside."""
    preset = PRESETS["small" if size == "tokenizer" else size]
    t = preset.tokenizer
    block = 4 * t.d_model**2 + 3 * t.d_model * t.ff_dim + 2 * WINDOW * t.d_model
    encoder = (t.n_enc_layers - 1) * block
    if size == "tokenizer":
        return 6 * tokens * (encoder + 2 * (t.n_dec_layers - 1) * block)
    p = preset.predictor
    block = 4 * p.d_model**2 + 3 * p.d_model * p.ff_dim + 2 * WINDOW * p.d_model
    rest = 2 * p.d_model**2 + 4 * p.d_model**2 + 2 * WINDOW * p.d_model + 2 * p.d_model * 2**p.s1_bits
    return 2 * tokens * encoder + 6 * tokens * (p.n_layers * block + rest)


def product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP a second of a plain matrix product of a step's size."""
    a, b = torch.randn(3200, 1024, device=device, dtype=dtype), torch.randn(1024, 1024, device=device, dtype=dtype)
    best = min(timed(lambda: a @ b, device) for _ in range(20))
    return 2 * 3200 * 1024 * 1024 / best


def timed(work: Callable[[], object], device: torch.device) -> float:
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def side(name: str, size: str, given: Batch, here: Place, *, compile: bool) -> Callable[[], object]:  # noqa: A002
    """A step of `ours` or of `upstream`, from the same weights."""
    preset = PRESETS["small" if size == "tokenizer" else size]
    torch.manual_seed(1)
    tokenizer, predictor = KronosTokenizer(preset.tokenizer), KronosPredictor(preset.predictor)
    if name == "ours":
        if size == "tokenizer":
            objective, lr, clip = TokenizerObjective(tokenizer, 5.0), 2e-4, 2.0
        else:
            objective, lr, clip = PredictorObjective(predictor, tokenizer), 4e-5, 3.0
        objective.move(here.device)
        training = ours(objective.train(), here, lr, clip, compile=compile)
        return lambda: training.step(given)
    with tempfile.TemporaryDirectory() as folder:
        upstream_tokenizer_network = upstream(KronosTokenizer, tokenizer, Path(folder) / "t").to(here.device)
        if size == "tokenizer":
            return upstream_tokenizer(upstream_tokenizer_network.train(), given)
        network = upstream(KronosPredictor, predictor, Path(folder) / "p").to(here.device)
        return upstream_predictor(network.train(), upstream_tokenizer_network.eval(), given)


def upstream(role: type, network: Checkpoint, folder: Path) -> torch.nn.Module:
    """Upstream's class with the weights of `network`."""
    sys.path.insert(0, os.environ["KRONOS_HOME"])
    from model import kronos  # noqa: PLC0415

    network_class = {KronosTokenizer: kronos.KronosTokenizer, KronosPredictor: kronos.Kronos}[role]
    return network_class.from_pretrained(str(network.save_pretrained(folder)))


def check_same_loss(size: str, given: Batch) -> None:
    """Without dropout and with s1 given, the training loss is upstream's."""
    preset = PRESETS[size]
    still = replace(preset.predictor, ffn_dropout_p=0.0, attn_dropout_p=0.0, resid_dropout_p=0.0, token_dropout_p=0.0)
    torch.manual_seed(2)
    ours_network, tokenizer = KronosPredictor(still).train(), KronosTokenizer(preset.tokenizer)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        other = upstream(KronosPredictor, ours_network, Path(folder)).train()
        s1, s2 = tokenizer.encode(given.x)
        ids = s1[:, :-1], s2[:, :-1]
        a = ours_network(*ids, given.stamp[:, :-1], s1[:, 1:])
        b = other(*ids, given.stamp[:, :-1].float(), use_teacher_forcing=True, s1_targets=s1[:, 1:])
        losses = [other.head.compute_loss(*each, s1[:, 1:], s2[:, 1:])[0].item() for each in (a, b)]
    assert abs(losses[0] - losses[1]) < SAME, losses


def job(name: str, options: argparse.Namespace) -> dict[str, float]:
    """What a process of its own measures: the median seconds of a step of `ours` or `upstream`, and its product rate."""
    command = ["--job", name, "--size", options.size, "--precision", options.precision, "--device", options.device]
    command += ["--batch", str(options.batch), *["--compile"] * options.compile]
    environment = {**os.environ, **(SETTINGS if name == "ours" else {})}  # as the command does
    line = [sys.executable, "-W", "ignore", __file__, *command]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, env=environment, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run(name: str, options: argparse.Namespace) -> dict[str, float]:
    """What that process does."""
    if name == "upstream":
        os.environ.pop("MKL_CBWR", None)  # set by importing ours, and read at the first product
    with open_place(options.device, options.precision if name == "ours" else "float32") as here:
        given = batch(here.device, options.batch)
        if name == "ours" and options.size != "tokenizer":
            check_same_loss(options.size, batch(torch.device("cpu"), 2))
        step = side(name, options.size, given, here, compile=options.compile)
        step()
        seconds = statistics.median(timed(step, here.device) for _ in range(ROUNDS))
        return {"seconds": seconds, "rate": product_rate(here.device, torch.bfloat16 if here.bf16 else torch.float32)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("mini", "small", "base", "tokenizer"), default="small")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeat", type=int, default=3, help="processes of each side, in turns; the median counts")
    parser.add_argument("--job", choices=("ours", "upstream"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if "KRONOS_HOME" not in os.environ:
        sys.exit("Error: KRONOS_HOME names no checkout of shiyu-coder/Kronos")
    if options.job:
        print(json.dumps(run(options.job, options)))
        return
    pairs = [(job("ours", options), job("upstream", options)) for _ in range(options.repeat)]
    ours_seconds, peer = (
        statistics.median(measured["seconds"] for measured in runs) for runs in zip(*pairs, strict=True)
    )
    rate = max(measured["rate"] for pair in pairs for measured in pair)
    bound = flops(options.size, options.batch * (WINDOW - 1)) / rate
    lines = [
        {"name": f"step of {options.size} ({options.precision})", "unit": "s", "ours": ours_seconds, "peer": peer,
         "ratio": peer / ours_seconds, "limit": FASTER},
        {"name": "matrix products alone", "unit": "s", "ours": ours_seconds, "peer": bound, "ratio": bound / ours_seconds, "limit": None},
    ]  # fmt: skip
    for line in lines:
        if options.json:
            print(json.dumps(line))
        else:
            limit = f"  (limit ≥ {line['limit']})" if line["limit"] else f"  at {rate / 1e9:.0f} GFLOP/s"
            print(f"{line['name']}: {line['ours']:.3f} s, peer {line['peer']:.3f} s, ratio {line['ratio']:.2f}{limit}")


if __name__ == "__main__":
    main()
