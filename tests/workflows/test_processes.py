"""Trainings as processes: killed with their parent and run again, two at once, and read through a pipe while they run."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from kronosforge.core.locks import locked
from kronosforge.dataset.manifest import read_manifest
from kronosforge.workspace.training_record import published_record, read_training
from tests.processes import children, gone

pytest.importorskip("torch", reason="training needs torch")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc")

NAME = "model_t"
CONFIG = """
from kronosforge.config import DatasetConfig, EvaluateConfig, ForecastConfig, ModelConfig, SourceConfig, TrainConfig

config = ModelConfig(
    model_name="Model_T",
    target_symbols=["BTC-USDT-SWAP_4H"],
    records_per_timeframe=200,
    source=SourceConfig(name="sandbox"),
    dataset=DatasetConfig(lookback=8, predict=2),
    train=TrainConfig(init="scratch", size="tiny", epochs=2, batch_size=4, windows_per_epoch=48, save_every_s=0.1),
    forecast=ForecastConfig(samples=2),
    evaluate=EvaluateConfig(samples=2, replicates=100),
)
"""
TOKENIZER = ("train", "--models", NAME, "--stage", "tokenizer")
PIPELINE = ("pipeline", "--models", NAME)


def lay(root: Path) -> Path:
    folder = root / "a workspace" / "Kronos" / "finetune"
    folder.mkdir(parents=True)
    (folder / f"config_{NAME}.py").write_text(CONFIG)
    return root / "a workspace"


@contextmanager
def started(root: Path, *command: str, program: str = "kronosforge") -> Iterator[subprocess.Popen[str]]:
    """The command, its two outputs in pipes; killed at the end, if it is still there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KRONOS_", "OKX_"))}
    environ = {**kept, "OMP_NUM_THREADS": "1", "KRONOS_LANG": "en"}
    with subprocess.Popen(
        [sys.executable, "-m", program, *command],
        cwd=root, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def read_until(stream: IO[str] | None, text: str) -> str:
    """The line that holds the text, as soon as it is printed."""
    assert stream is not None
    return next(line for line in stream if text in line)


def progress(root: Path, stage: str) -> dict[str, object]:
    path = root / "outputs" / "models" / NAME / stage / "last" / "training.json"
    return dict(json.loads(path.read_text())["progress"])


def results(root: Path) -> dict[str, bytes]:
    """Weights, the loss curve without its clock, and the evaluation where there is one."""
    models = root / "outputs" / "models" / NAME
    contents = {path: path.read_bytes() for path in (*models.rglob("*.safetensors"), *models.glob("evaluation.json"))}
    for path in models.rglob("metrics.jsonl"):
        steps = [{**json.loads(line), "bars_per_s": 0} for line in path.read_text().splitlines()]
        contents[path] = json.dumps(steps).encode()
    return {path.relative_to(models).as_posix(): data for path, data in contents.items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = lay(tmp_path_factory.mktemp("undisturbed"))
    with started(root, *PIPELINE) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return root


@pytest.mark.parametrize("command", [TOKENIZER, PIPELINE], ids=["train", "pipeline"])
def test_killed_it_leaves_no_process_and_the_same_command_goes_on_to_the_same_bytes(
    undisturbed: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    root = lay(tmp_path)
    (root / "data").symlink_to(undisturbed / "data")
    again = (*TOKENIZER, "--resume") if command == TOKENIZER else PIPELINE
    with started(root, *command) as parent:
        read_until(parent.stderr, "tokenizer epoch 0")
        (child,) = children(parent.pid)
        os.kill(child, signal.SIGSTOP)  # busy for long: it does not notice that nobody reads what it prints
        parent.kill()
        with started(root, *again) as second:
            assert gone(child)
            _, err = second.communicate(timeout=120)
        assert second.returncode == 0, err
    expected = results(undisturbed)
    made = {name: data for name, data in expected.items() if command == PIPELINE or name.startswith("tokenizer/")}
    assert results(root) == made


def test_processes_of_torchrun_end_with_it(undisturbed: Path, tmp_path: Path) -> None:
    root = lay(tmp_path)
    (root / "data").symlink_to(undisturbed / "data")
    flags = ("--standalone", "--nproc_per_node=2", "-m", "kronosforge", *TOKENIZER, "--epochs", "1000")
    with started(root, *flags, program="torch.distributed.run") as parent:
        line = read_until(parent.stderr, "tokenizer epoch 1: ")
        ranks = children(parent.pid)
        parent.kill()
        ended = [gone(rank) for rank in ranks]
    assert (len(ranks), ended) == (2, [True, True])
    assert line.startswith("model_t tokenizer epoch 1: ")


def test_a_run_that_another_process_writes_is_waited_for(undisturbed: Path, tmp_path: Path) -> None:
    root = lay(tmp_path)
    (root / "data").symlink_to(undisturbed / "data")
    with started(root, *TOKENIZER) as process:
        with locked(root / "outputs" / "models" / NAME / "tokenizer", "the run"):
            assert f"process {os.getpid()} on " in read_until(process.stderr, "[model_t] waiting for the run")
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert results(root).keys() >= {"tokenizer/best_model/model.safetensors"}


def test_two_pipelines_at_once_on_a_fresh_workspace_both_end_well(undisturbed: Path, tmp_path: Path) -> None:
    root = lay(tmp_path)
    with started(root, *PIPELINE) as first, started(root, *PIPELINE, "--json") as second:
        printed = [process.communicate(timeout=120) for process in (first, second)]
        assert [first.returncode, second.returncode] == [0, 0], printed
    out, err = printed[1]
    assert json.loads(out)["failures"] == []
    assert "[model_t] " in err  # what a training prints is not on the output of --json
    assert results(root) == results(undisturbed)


def test_a_dataset_is_not_replaced_under_a_training(undisturbed: Path, tmp_path: Path) -> None:
    root = lay(tmp_path)
    shutil.copytree(undisturbed / "data", root / "data")
    dataset = root / "data" / "kronos_datasets" / NAME
    trained_on = read_manifest(dataset, NAME).fingerprint
    other = ("prepare", "--config", NAME, "--records-per-timeframe", "300", "--force")
    with started(root, "train", "--models", NAME) as training:
        read_until(training.stderr, "tokenizer epoch 0")
        (child,) = children(training.pid)
        os.kill(child, signal.SIGSTOP)
        with started(root, *other) as preparing:
            line = read_until(preparing.stderr, f"waiting for the dataset {NAME}")
            os.kill(child, signal.SIGCONT)
            assert f"process {child} on " in line
            outputs = [process.communicate(timeout=120) for process in (training, preparing)]
        assert [training.returncode, preparing.returncode] == [0, 0], outputs
    record = read_training(published_record(root / "outputs" / "models" / NAME / "predictor"))
    assert record.dataset == trained_on
    assert read_manifest(dataset, NAME).fingerprint != trained_on


def test_each_epoch_is_a_line_in_pipe_and_log_as_it_ends(undisturbed: Path, tmp_path: Path) -> None:
    root = lay(tmp_path)
    (root / "data").symlink_to(undisturbed / "data")
    with started(root, *TOKENIZER, "--epochs", "200") as parent:
        line = read_until(parent.stderr, "epoch 1: ")
        assert line.startswith("[model_t] model_t tokenizer epoch 1: reconstruction ")
        (log,) = (root / "logs").rglob(f"{NAME}.log")
        assert "model_t tokenizer epoch 1: " in log.read_text("utf-8")
        assert parent.poll() is None
        assert not progress(root, "tokenizer")["finished"]


def test_each_epoch_is_a_line_in_a_pipe_where_one_process_trains(undisturbed: Path, tmp_path: Path) -> None:
    root = lay(tmp_path)
    (root / "data").symlink_to(undisturbed / "data")
    with started(root, *TOKENIZER, "--in-process", "--epochs", "200") as process:
        assert read_until(process.stderr, "epoch 1: ").startswith("model_t tokenizer epoch 1: reconstruction ")
        assert process.poll() is None
        assert not progress(root, "tokenizer")["finished"]


def test_the_forecast_of_a_pipeline_uses_the_weights_that_its_evaluation_promotes(
    undisturbed: Path, tmp_path: Path
) -> None:
    """CURRENT is of an earlier evaluation, and names weights that this model does not have."""
    root = lay(tmp_path)
    (root / "data").symlink_to(undisturbed / "data")
    current = root / "outputs" / "models" / NAME / "CURRENT"
    current.parent.mkdir(parents=True)
    current.write_text('{"model": "start"}')
    with started(root, *PIPELINE, "--json") as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out)["forecast"][NAME]["weights"]["predictor"]["source"] == "predictor/best_model"


@pytest.mark.parametrize("command", ["train", "pipeline"])
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["text", "json"])
def test_why_a_training_failed_is_printed_once(
    undisturbed: Path, tmp_path: Path, command: str, flags: list[str]
) -> None:
    root = lay(tmp_path)
    (root / "data").symlink_to(undisturbed / "data")
    record = root / "outputs" / "models" / NAME / "tokenizer" / "last" / "training.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    with started(root, command, "--models", NAME, *flags, *(["--resume"] * (command == "train"))) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 5
    assert (err if flags else out + err).count("training.json cannot be used") == 1


def test_a_model_that_is_trained_already_is_one_line(undisturbed: Path) -> None:
    with started(undisturbed, "train", "--models", NAME) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    kept = "kept, as it was trained with the same settings and data; use --force to train again"
    assert out.startswith(f"✅ {NAME}: {kept}\nSummary: ")
    assert err == f"[{NAME}] {NAME}: {kept}\n"


def test_one_process_that_trains_prints_one_object(undisturbed: Path) -> None:
    with started(undisturbed, "train", "--models", NAME, "--in-process", "--resume", "--json") as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    facts = json.loads(out)["models"][NAME]
    assert (facts["status"], facts["stages"].keys()) == ("done", {"tokenizer", "predictor"})
