"""One training step (encode, forward, loss, backward, clip, AdamW), against upstream's own networks and calls.

    KRONOS_HOME=~/Kronos python benchmarks/bench_train.py --size small|mini|tokenizer [--precision float32|bf16] [--json]

Batch 32, window 101, dropouts as published. Both sides start from the same weights and take the same batch, in turns in one
process; the losses of both are compared first, without dropout. The limit beside is that of the matrix products alone, at
the rate that a plain product of this size reaches in the same run.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the commands do, for both sides

import torch
import torch.nn.functional as F

from kronosforge.config import TrainConfig
from kronosforge.dataset.loader import Batch
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.train.devices import place
from kronosforge.train.loop import Training
from kronosforge.train.objectives import Objective, PredictorObjective, TokenizerObjective
from kronosforge.train.state import Progress, Stage

BATCH, WINDOW, ROUNDS = 32, 101, 5
FASTER = 2.0  # times upstream
SAME = 2e-5  # loss, float32


def batch(device: torch.device, size: int) -> Batch:
    """Candles and calendars of no market."""
    torch.manual_seed(0)
    x = torch.randn(size, WINDOW, 6).cumsum(dim=1).div(5).clip(-5, 5)
    stamp = torch.stack([torch.randint(0, n, (size, WINDOW)) for n in (60, 24, 7, 31, 12)], dim=-1)
    return Batch(x.to(device), stamp.to(device), torch.arange(size), size)


def ours(objective: Objective, here: object, lr: float, clip: float, *, compile: bool) -> Training:  # noqa: A002
    """The loop's own step; what of a stage it does not touch is left out."""
    parameters = [p for p in objective.network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.1, fused=True)
    rules = TrainConfig(batch_size=4096, compile=compile)
    stage = Stage("", objective, None, optimizer, None, None, None, 0, rules, lr, clip, Path(), {})
    return Training(stage, Progress(first_loss=1e9), here)


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


def sides(size: str, home: str, here: object, given: Batch, *, compile: bool) -> tuple[Training, Callable[[], float]]:  # noqa: A002
    """Ours and upstream's, from the same weights."""
    sys.path.insert(0, home)
    from model.kronos import Kronos  # noqa: PLC0415
    from model.kronos import KronosTokenizer as Theirs  # noqa: PLC0415

    preset = PRESETS["small" if size == "tokenizer" else size]
    torch.manual_seed(1)
    tokenizer = KronosTokenizer(preset.tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        theirs = Theirs.from_pretrained(str(tokenizer.save_pretrained(Path(folder) / "t"))).to(here.device).eval()
        if size == "tokenizer":
            training = ours(TokenizerObjective(tokenizer.to(here.device), 5.0), here, 2e-4, 2.0, compile=compile)
            return training, upstream_tokenizer(theirs.train(), given)
        predictor = KronosPredictor(preset.predictor)
        network = Kronos.from_pretrained(str(predictor.save_pretrained(Path(folder) / "p"))).to(here.device)
        objective = PredictorObjective(predictor, tokenizer)
        objective.move(here.device)
        check_same_loss(preset, theirs, given, here.device, Path(folder))
        return ours(objective, here, 4e-5, 3.0, compile=compile), upstream_predictor(network.train(), theirs, given)


def check_same_loss(preset, theirs, given, device, folder) -> None:
    """Without dropout and with s1 given, the training loss is upstream's."""
    from model.kronos import Kronos  # noqa: PLC0415

    still = replace(preset.predictor, ffn_dropout_p=0.0, attn_dropout_p=0.0, resid_dropout_p=0.0, token_dropout_p=0.0)
    torch.manual_seed(2)
    mine = KronosPredictor(still).train().to(device)
    other = Kronos.from_pretrained(str(mine.save_pretrained(folder / "still"))).train().to(device)
    with torch.no_grad():
        s1, s2 = theirs.encode(given.x, half=True)
        ids = s1[:, :-1], s2[:, :-1]
        a = mine(*ids, given.stamp[:, :-1], s1[:, 1:])
        b = other(*ids, given.stamp[:, :-1].float(), use_teacher_forcing=True, s1_targets=s1[:, 1:])
        losses = [other.head.compute_loss(*each, s1[:, 1:], s2[:, 1:])[0].item() for each in (a, b)]
    assert abs(losses[0] - losses[1]) < SAME, losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("mini", "small", "base", "tokenizer"), default="small")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    home = os.environ.get("KRONOS_HOME") or sys.exit("Error: KRONOS_HOME names no checkout of shiyu-coder/Kronos")
    with place(options.device, options.precision) as here:
        given = batch(here.device, options.batch)
        training, theirs = sides(options.size, home, here, given, compile=options.compile)
        training.stage.objective.train()
        times: dict[str, list[float]] = {"ours": [], "upstream": []}
        for round_ in range(ROUNDS + 1):
            for name, step in (("ours", lambda: training.step(given)), ("upstream", theirs)):
                seconds = timed(step, here.device)
                if round_:
                    times[name].append(seconds)
        rate = product_rate(here.device, torch.bfloat16 if here.bf16 else torch.float32)
    mine, peer = (statistics.median(times[name]) for name in ("ours", "upstream"))
    bound = flops(options.size, options.batch * (WINDOW - 1)) / rate
    lines = [
        {"name": f"step of {options.size} ({options.precision})", "unit": "s", "ours": mine, "peer": peer,
         "ratio": peer / mine, "limit": FASTER},
        {"name": "matrix products alone", "unit": "s", "ours": mine, "peer": bound, "ratio": bound / mine, "limit": None},
    ]  # fmt: skip
    for line in lines:
        if options.json:
            print(json.dumps(line))
        else:
            limit = f"  (limit ≥ {line['limit']})" if line["limit"] else f"  at {rate / 1e9:.0f} GFLOP/s"
            print(f"{line['name']}: {line['ours']:.3f} s, peer {line['peer']:.3f} s, ratio {line['ratio']:.2f}{limit}")


if __name__ == "__main__":
    main()
