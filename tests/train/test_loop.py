"""The loop: it learns, it judges from epoch 0, it stops where it must, and it goes on exactly where it was killed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from kronosforge.config import ModelConfig
from kronosforge.core.errors import DataError, ModelError, TrainingError, UsageError
from kronosforge.dataset.loader import Batch
from kronosforge.model import KronosPredictor, KronosTokenizer
from kronosforge.train import train
from kronosforge.train.devices import Place
from kronosforge.train.loop import Training
from kronosforge.train.stages import StageName, assemble, build
from kronosforge.train.state import Stage, StageProgress
from kronosforge.workspace.paths import ModelFolders, model_folders
from tests.train.conftest import TINY, draw_nothing

HERE = Place(torch.device("cpu"), 0, 1, bf16=False)


def with_rules(config: ModelConfig, **rules: object) -> ModelConfig:
    return config.model_copy(update={"train": TINY.model_copy(update=rules)})


def losses(root: Path, stage: str = "tokenizer") -> list[dict[str, object]]:
    """The journal without its clock."""
    lines = (root / "outputs/models/model_t" / stage / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "bars_per_s"} for line in lines]


def files(root: Path) -> dict[str, bytes]:
    models = root / "outputs" / "models" / "model_t"
    return {str(p.relative_to(models)): p.read_bytes() for p in sorted(models.rglob("*.safetensors")) if p.is_file()}


def stage_of(config: ModelConfig, root: Path, name: StageName = "tokenizer") -> Stage:
    where: ModelFolders = model_folders(config, root)
    return assemble(config, where, name, build(config, where, name), {"dataset": "d"}, HERE)


@pytest.fixture(scope="module")
def trained(prepared_root: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which both stages ran to their end, never stopped."""
    from tests.train.conftest import model

    root = tmp_path_factory.mktemp("trained")
    (root / "data").symlink_to(prepared_root / "data")
    train(model(shared), root)
    return root


def test_both_stages_leave_checkpoints_and_a_journal(trained: Path) -> None:
    models = trained / "outputs" / "models" / "model_t"
    for stage, kind in (("tokenizer", KronosTokenizer), ("predictor", KronosPredictor)):
        kind.from_pretrained(models / stage / "best_model")
        kind.from_pretrained(models / stage / "last")
        assert list((models / stage / "tensorboard").glob("events.*"))
        lines = losses(trained, stage)
        assert [line["step"] for line in lines if line["kind"] == "step"] == list(range(1, 13))
        assert [line["epoch"] for line in lines if line["kind"] == "epoch"] == [0, 1, 2]


def test_training_makes_both_better(trained: Path) -> None:
    for stage, headline in (("tokenizer", "reconstruction"), ("predictor", "loss")):
        scores = [line["val"][headline] for line in losses(trained, stage) if line["kind"] == "epoch"]
        assert min(scores[1:]) < 0.9 * scores[0]


def test_the_same_seed_gives_the_same_bytes(trained: Path, config: ModelConfig, root: Path) -> None:
    train(config, root)
    assert files(root) == files(trained)
    assert losses(root, "predictor") == losses(trained, "predictor")


def test_epoch_0_is_kept_where_training_makes_it_worse(config: ModelConfig, root: Path) -> None:
    start = stage_of(config, root)
    done = train(with_rules(config, tokenizer_lr=1e-9, schedule="cosine"), root, ["tokenizer"])["tokenizer"]
    assert done.progress.best_epoch == 0
    assert not done.improved
    best = KronosTokenizer.from_pretrained(done.best)
    assert all(torch.equal(a, b) for a, b in zip(best.parameters(), start.objective.parameters(), strict=True))


def test_patience_ends_a_run_that_no_longer_improves(config: ModelConfig, root: Path) -> None:
    done = train(with_rules(config, tokenizer_lr=1e-9, epochs=50, patience=2), root, ["tokenizer"])["tokenizer"]
    assert len(done.progress.epochs) == 3


def test_a_frozen_tokenizer_is_measured_and_kept(config: ModelConfig, root: Path) -> None:
    done = train(with_rules(config, freeze_tokenizer=True), root, ["tokenizer"])["tokenizer"]
    assert [epoch["epoch"] for epoch in done.progress.epochs] == [0]
    assert done.progress.finished


def test_a_finished_run_is_kept_or_done_anew(config: ModelConfig, root: Path) -> None:
    assert not train(config, root, ["tokenizer"])["tokenizer"].kept
    before = files(root)
    assert train(config, root, ["tokenizer"])["tokenizer"].kept
    with pytest.raises(UsageError, match=r"seed 100 → 7.*--force"):
        train(with_rules(config, seed=7), root, ["tokenizer"])
    train(config, root, ["tokenizer"], resume=True)
    assert files(root) == before
    train(with_rules(config, seed=7), root, ["tokenizer"], force=True)
    assert files(root) != before


@pytest.mark.parametrize(("change", "flag"), [({"dataset": "another"}, "--accept-new-data"), ({"seed": 9}, "seed 9 →")])
def test_a_checkpoint_of_other_data_or_settings_is_refused(
    config: ModelConfig, root: Path, change: dict[str, object], flag: str
) -> None:
    train(config, root, ["tokenizer"])
    manifest = root / "outputs/models/model_t/tokenizer/last/training.json"
    content = json.loads(manifest.read_text())
    content["facts"] |= change
    manifest.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=flag):
        train(config, root, ["tokenizer"], resume=True)
    if "dataset" in change:
        train(config, root, ["tokenizer"], resume=True, new_data=True)


@pytest.mark.parametrize("name", ["training.safetensors", "model.safetensors"])
def test_a_truncated_state_is_refused(config: ModelConfig, root: Path, name: str) -> None:
    train(config, root, ["tokenizer"])
    tensors = root / "outputs/models/model_t/tokenizer/last" / name
    tensors.write_bytes(tensors.read_bytes()[:1000])
    with pytest.raises(ModelError, match=rf"last/{name} cannot be used"):
        train(config, root, ["tokenizer"], resume=True)


def test_a_predictor_without_tokenizer_is_refused(config: ModelConfig, root: Path) -> None:
    with pytest.raises(ModelError, match=r"Predictor requires tokenizer: .*--stage tokenizer"):
        train(config, root, ["predictor"])


def test_tokenizer_and_predictor_must_belong_together(config: ModelConfig, root: Path) -> None:
    train(config, root, ["tokenizer"])
    with pytest.raises(ModelError, match=r"6 \+ 6 bits and the predictor reads 10 \+ 10"):
        build(with_rules(config, size="mini"), model_folders(config, root), "predictor")


def test_training_needs_a_dataset_of_the_same_windows(config: ModelConfig, root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no finished dataset"):
        train(config, tmp_path / "nowhere")
    other = config.model_copy(update={"dataset": config.dataset.model_copy(update={"lookback": 21})})
    with pytest.raises(DataError, match="prepare it again"):
        train(other, root)


def test_a_tiny_model_overfits_32_windows(config: ModelConfig, root: Path) -> None:
    torch.manual_seed(0)
    tokenizer = stage_of(config, root)
    x, stamp = next(iter(tokenizer.train.every()))[:2]
    windows = Batch(torch.cat([x, x.flip(0) * 0.5])[:32], torch.cat([stamp, stamp])[:32], torch.arange(32), 32)
    objective = tokenizer.objective
    tokenizer.ordinary().save_pretrained(tokenizer.folder / "best_model")
    predictor = stage_of(with_rules(config, batch_size=32), root, "predictor")
    training = Training(predictor, StageProgress(), HERE)
    predictor.objective.train()
    for group in predictor.optimizer.param_groups:
        group["lr"] = 3e-3
    for _ in range(200):
        values, _ = training.step(windows)
    assert values["loss"] < 0.1
    assert objective is not predictor.objective


def test_accumulated_batches_equal_one_large_batch(trained: Path, config: ModelConfig) -> None:
    ends = []
    for size, accumulate in ((16, 1), (4, 4)):
        stage = stage_of(with_rules(config, batch_size=size, accumulate=accumulate), trained, "predictor")
        draw_nothing(stage)
        training = Training(stage, StageProgress(), HERE)
        for _, batch in zip(range(3), stage.train.epoch(1), strict=False):
            training.step(batch)
        ends.append([p.detach() for p in stage.objective.parameters()])
    for first, other in zip(*ends, strict=True):
        torch.testing.assert_close(first, other, rtol=0, atol=1e-5)


def test_a_nan_stops_the_run_and_names_step_windows_and_the_last_good_state(config: ModelConfig, root: Path) -> None:
    stage = stage_of(config, root)
    training = Training(stage, StageProgress(), HERE)
    batch = next(iter(stage.train.epoch(1)))
    before = [p.clone() for p in stage.objective.parameters()]
    with pytest.raises(TrainingError, match=r"at step 1 .*SWAP_4H 20\d\d-.*tokenizer/last.*learning rate"):
        training.step(batch._replace(x=batch.x.index_fill(0, torch.tensor([2]), torch.nan)))
    assert all(torch.equal(a, b) for a, b in zip(before, stage.objective.parameters(), strict=True))


def test_a_validation_that_is_no_number_stops_the_run(config: ModelConfig, root: Path) -> None:
    stage = stage_of(config, root)
    next(stage.objective.parameters()).data.fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"validation gave .*nan"):
        Training(stage, StageProgress(), HERE).validate()


def test_an_exploding_loss_stops_the_run(config: ModelConfig, root: Path) -> None:
    with pytest.raises(TrainingError, match="exploded"):
        train(with_rules(config, tokenizer_lr=1e4, tokenizer_clip=1e9, warmup=0.0), root, ["tokenizer"])


def test_bf16_trains_too(config: ModelConfig, root: Path) -> None:
    stages = stage_of(config, root), stage_of(config, root)
    batch = next(iter(stages[0].train.epoch(1)))
    (whole, _), (half, _) = (
        Training(stage, StageProgress(), HERE._replace(bf16=bf16)).step(batch)
        for stage, bf16 in zip(stages, (False, True), strict=True)
    )
    assert half["loss"] == pytest.approx(whole["loss"], rel=0.05)
    assert half["loss"] != whole["loss"]


def test_compiling_where_torch_cannot_is_refused(
    config: ModelConfig, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__file__", "/my models/torch/__init__.py")
    with pytest.raises(UsageError, match="blank"):
        Training(stage_of(with_rules(config, compile=True), root), StageProgress(), HERE)


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler on CPU")
@pytest.mark.skipif(" " in torch.__file__, reason="the compiler cannot read torch's folder")
@pytest.mark.filterwarnings("ignore")  # torch's own, while it loads its compiler
def test_compiled_it_takes_the_same_step(config: ModelConfig, root: Path) -> None:
    stages = stage_of(config, root), stage_of(with_rules(config, compile=True), root)
    batch = next(iter(stages[0].train.epoch(1)))
    (whole, _), (compiled, _) = (Training(stage, StageProgress(), HERE).step(batch) for stage in stages)
    assert compiled == pytest.approx(whole, rel=1e-4)


RUN = """
import os, sys, signal
os.environ["OMP_NUM_THREADS"] = "1"
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from kronosforge.train import loop
from kronosforge.train import train
from tests.train.conftest import TINY, model

real, die_at = loop.Training.step, int(sys.argv[4])

def step(self, batch, **options):
    if self.progress.step == die_at and self.stage.name == sys.argv[5]:
        os.kill(os.getpid(), getattr(signal, sys.argv[6]))
    return real(self, batch, **options)

loop.Training.step = step
rules = TINY.model_copy(update={"save_every_s": float(sys.argv[7])})
try:
    train(model(Path(sys.argv[2]), rules), Path(sys.argv[1]), resume=True)
except KeyboardInterrupt:
    sys.exit(130)
"""


def child(root: Path, shared: Path, die_at: int, stage: str, signal_name: str, save_every_s: float) -> int:
    tests = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", RUN, root, shared, tests, die_at, stage, signal_name, save_every_s]
    return subprocess.run([str(part) for part in command], check=False, timeout=300).returncode


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_killed_at_any_step_and_resumed_the_curve_is_the_same_to_the_last_bit(
    trained: Path, root: Path, shared: Path
) -> None:
    """Three kills, at steps drawn anew each day, with saves after every step and at epochs only."""
    draws = random.Random(time.strftime("%j"))
    first, second = sorted(draws.choices(range(12), k=2))  # a resumed stage does not come back to an earlier step
    kills = [("tokenizer", 1e-9, first), ("tokenizer", 1e9, second), ("predictor", 1e-9, draws.randrange(12))]
    for stage, save_every_s, step in kills:
        assert child(root, shared, step, stage, "SIGKILL", save_every_s) == -signal.SIGKILL
    assert child(root, shared, -1, "", "SIGKILL", 1e9) == 0
    assert losses(root, "tokenizer") == losses(trained, "tokenizer")
    assert losses(root, "predictor") == losses(trained, "predictor")
    assert files(root) == files(trained)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_ctrl_c_saves_after_its_step(root: Path, shared: Path) -> None:
    assert child(root, shared, 4, "tokenizer", "SIGINT", 1e9) == 130
    manifest = json.loads((root / "outputs/models/model_t/tokenizer/last/training.json").read_text())
    assert manifest["progress"]["step"] in (5, 6)  # the signal is seen before the next step


TWICE = """
import signal, sys
from kronosforge.train.loop import _stoppable

def second_signal(frame, event, argument):
    if event == "return" and frame.f_code.co_name == "__enter__" and "threading" in frame.f_code.co_filename:
        sys.setprofile(None)
        signal.raise_signal(signal.SIGTERM)  # while a lock of the first one's handler is held, if it has any

with _stoppable():
    sys.setprofile(second_signal)
    signal.raise_signal(signal.SIGTERM)
    sys.setprofile(None)
"""


def test_a_second_signal_inside_the_handler_of_the_first_does_not_wait_forever() -> None:
    assert subprocess.run([sys.executable, "-c", TWICE], check=False, timeout=60).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_ctrl_c_at_the_last_step_is_heard(trained: Path, root: Path, shared: Path) -> None:
    """Its stage is finished, the next one is not begun, and the same command goes on."""
    assert child(root, shared, 11, "tokenizer", "SIGINT", 1e9) == 130
    assert (root / "outputs/models/model_t/tokenizer/best_model/model.safetensors").exists()
    assert not (root / "outputs/models/model_t/predictor").exists()
    assert child(root, shared, -1, "", "SIGKILL", 1e9) == 0
    assert files(root) == files(trained)


HUNGRY = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from kronosforge.core.errors import TrainingError
from kronosforge.train import train
from tests.train.conftest import TINY, model

rules = TINY.model_copy(update={"size": "mini", "batch_size": 64})
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
try:
    train(model(Path(sys.argv[2]), rules), Path(sys.argv[1]))
except TrainingError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_out_of_memory_says_what_to_change(root: Path, shared: Path) -> None:
    command = [sys.executable, "-c", HUNGRY, *map(str, (root, shared, Path(__file__).resolve().parents[2]))]
    message = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300).stderr
    assert "out of memory on cpu" in message
    assert "64 × 25" in message
    assert "--batch-size 32 with accumulate=2" in message
    assert message.count("\n") == 1


RANKS = """
import os, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[3])
from kronosforge.train.devices import open_place
from kronosforge.train.loop import Training
from kronosforge.train.stages import assemble, build
from kronosforge.workspace.paths import model_folders
from kronosforge.train.state import StageProgress
from tests.train.conftest import TINY, draw_nothing, model

root, size = Path(sys.argv[1]), int(sys.argv[4])
config = model(Path(sys.argv[2]), TINY.model_copy(update={"batch_size": size}))
where = model_folders(config, root)
with open_place("cpu", "float32") as here:
    stage = assemble(config, where, "predictor", build(config, where, "predictor"), {}, here)
    training = Training(stage, StageProgress(), here)
    draw_nothing(stage)
    network = stage.objective.network
    for _, batch in zip(range(4), stage.train.epoch(1)):
        values, _ = training.step(batch)
    scores = training.validate()
    torch.save({"weights": dict(network.state_dict()), "loss": values["loss"], "val": scores}, f"{sys.argv[5]}.{here.rank}")
"""


def ranks(root: Path, shared: Path, world: int, batch: int, out: Path) -> list[dict[str, object]]:
    tests = Path(__file__).resolve().parents[2]
    port = str(29500 + os.getpid() % 2000)
    command = [sys.executable, "-c", RANKS, *map(str, (root, shared, tests, batch, out))]
    distributed = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(world)}
    running = [
        subprocess.Popen(command, env={**os.environ, **distributed, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(world)
    ]
    assert [process.wait(300) for process in running] == [0] * world
    return [torch.load(f"{out}.{rank}") for rank in range(world)]


@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this torch has no gloo")
def test_two_processes_equal_one_with_the_doubled_batch(trained: Path, shared: Path, tmp_path: Path) -> None:
    left, other = ranks(trained, shared, 2, 8, tmp_path / "two")
    (alone,) = ranks(trained, shared, 1, 16, tmp_path / "one")
    for key, weight in left["weights"].items():
        assert torch.equal(weight, other["weights"][key])
        torch.testing.assert_close(weight, alone["weights"][key], rtol=0, atol=1e-5)
    assert left["loss"] == other["loss"] == pytest.approx(alone["loss"], abs=1e-5)
    assert left["val"] == other["val"] == pytest.approx(alone["val"], rel=1e-4)
