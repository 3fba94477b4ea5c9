"""Every command of the guide's training half, as it stands there, from a folder with a blank in its name."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")

from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.workspace.scaffold import lay

TINY = ("--init", "scratch", "--size", "tiny", "--epochs", "1")
GUIDE = ("python", "multi_model_trainer.py", "--models", "model_a_4h", "model_b_1d")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with both models' datasets, short, and tiny weights in the place of the published ones."""
    folder = tmp_path_factory.mktemp("guide") / "my models"
    lay(folder)
    preset = PRESETS["tiny"]
    KronosTokenizer(preset.tokenizer).save_pretrained(folder / "weights" / "tokenizer")
    KronosPredictor(preset.predictor).save_pretrained(folder / "weights" / "predictor")
    for config in ("model_a_4h", "model_b_1d"):
        done = run(folder, "python", "prepare_kronos_data_simple.py", "--config", config)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def finetune(workspace: Path) -> Path:
    """The guide's `cd Kronos/finetune`, with no run of an earlier test in the way."""
    subprocess.run(["rm", "-rf", workspace / "outputs", workspace / "logs"], check=True)
    return workspace / "Kronos" / "finetune"


def environ(workspace: Path, **variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KRONOS_", "HF_"))}
    return {
        **inherited,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "KRONOS_SOURCE": "sandbox",
        "KRONOS_RECORDS_PER_TF": "950",
        "KRONOS_LANG": "en",
        "OMP_NUM_THREADS": "1",
        "KRONOS_TOKENIZER_PATH": str(workspace / "weights" / "tokenizer"),
        "KRONOS_PREDICTOR_PATH": str(workspace / "weights" / "predictor"),
        **variables,
    }


def run(folder: Path, *command: str, root: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    env = environ(root or folder, **variables)
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def train(finetune: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(finetune, *command, root=finetune.parents[1], **variables)


def summary(workspace: Path) -> dict[str, object]:
    (run_folder,) = (workspace / "logs" / "multi_model_training").iterdir()
    (report,) = run_folder.glob("training_report_*.txt")
    assert report.read_text("utf-8").strip()
    return dict(json.loads((run_folder / "summary.json").read_text("utf-8"))["models"])


def test_the_guides_line_trains_both_models(finetune: Path, workspace: Path) -> None:
    done = train(finetune, *GUIDE, "--epochs", "1")
    assert done.returncode == 0, done.stderr
    models = summary(workspace)
    assert {model: facts["status"] for model, facts in models.items()} == {"model_a_4h": "done", "model_b_1d": "done"}
    for model, facts in models.items():
        assert facts["stages"].keys() == {"tokenizer", "predictor"}
        for stage in facts["stages"]:
            assert (workspace / "outputs" / "models" / model / stage / "best_model" / "model.safetensors").exists()
        page = workspace / "outputs" / "reports" / model / "report.html"
        assert f"Report: {page}" in done.stdout
        assert "Trained, not evaluated yet" in page.read_text("utf-8")
    assert "model_b_1d/report.html" in (workspace / "outputs" / "reports" / "index.html").read_text("utf-8")


def test_parallel_models_share_the_cores(finetune: Path, workspace: Path) -> None:
    done = train(finetune, *GUIDE, *TINY, "--mode", "parallel", "--max-workers", "2", "--stage", "tokenizer")
    assert done.returncode == 0, done.stderr
    assert all(facts["stages"].keys() == {"tokenizer"} for facts in summary(workspace).values())


def test_one_failing_model_does_not_stop_the_other(finetune: Path, workspace: Path) -> None:
    """The second model's dataset is broken: the first is trained, and the end says which failed, why, and how to go on."""
    candles = workspace / "data" / "kronos_datasets" / "model_a_4h" / "native" / "train" / "candles.npy"
    whole = candles.read_bytes()
    candles.write_bytes(whole[:5000])
    try:
        done = train(finetune, *GUIDE, *TINY, "--stage", "tokenizer")
    finally:
        candles.write_bytes(whole)
    assert done.returncode == 5
    models = summary(workspace)
    assert models["model_b_1d"]["status"] == "done"
    assert models["model_a_4h"]["status"] == "failed"
    assert (
        "recreate it with: python prepare_kronos_data_simple.py --config model_a_4h --force"
        in models["model_a_4h"]["error"]
    )
    assert "❌ model_a_4h" in done.stdout
    assert "--models model_a_4h" in done.stdout
    assert "--resume" in done.stdout
    resume = models["model_a_4h"]["resume"].replace("Kronos/finetune/", "").split()
    assert train(finetune, *resume).returncode == 0


def test_ctrl_c_saves_both_models_and_says_how_to_go_on(finetune: Path, workspace: Path) -> None:
    log = workspace / "outputs" / "models" / "model_a_4h" / "tokenizer" / "last" / "training.json"
    parent = subprocess.Popen(
        [sys.executable, *GUIDE[1:], "--init", "scratch", "--size", "tiny"],
        cwd=finetune, env=environ(workspace), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not log.exists():
        assert parent.poll() is None
        time.sleep(0.1)
    parent.send_signal(signal.SIGINT)
    out, _ = parent.communicate(timeout=300)
    assert parent.returncode == 130
    models = summary(workspace)
    assert {facts["status"] for facts in models.values()} == {"stopped"}
    assert out.count("--resume") == 2
    assert json.loads(log.read_text())["progress"]["finished"] is False


def test_without_weights_the_three_ways_on_are_named(finetune: Path) -> None:
    done = train(finetune, *GUIDE, KRONOS_TOKENIZER_PATH="", HF_HUB_OFFLINE="1", HF_HOME=str(finetune / "no cache"))
    assert done.returncode == 5
    for way_on in ("KRONOS_TOKENIZER_PATH=DIR", "HF_ENDPOINT=", "--init scratch"):
        assert way_on in done.stdout


@pytest.mark.parametrize("launcher", [["python"], ["torchrun", "--standalone", "--nproc_per_node=2"]])
def test_single_scripts_train_under_python_and_torchrun(finetune: Path, workspace: Path, launcher: list[str]) -> None:
    for script in ("train_tokenizer_multi.py", "train_predictor_multi.py"):
        done = train(finetune, *launcher, script, "--config", "model_a_4h", "--epochs", "1", "--device", "cpu")
        assert done.returncode == 0, done.stderr
    last = workspace / "outputs" / "models" / "model_a_4h" / "predictor" / "last" / "training.json"
    assert json.loads(last.read_text())["facts"]["world"] == (2 if launcher[0] == "torchrun" else 1)


def test_a_predictor_alone_needs_a_tokenizer(finetune: Path) -> None:
    done = train(finetune, "python", "train_predictor_multi.py", "--config", "model_a_4h", *TINY)
    assert (done.returncode, done.stdout) == (5, "")
    assert "Predictor requires tokenizer" in done.stderr


def test_quick_start_shows_the_command_and_runs_it(finetune: Path, workspace: Path) -> None:
    done = train(finetune, "python", "quick_start_multi_model.py", "--yes", *TINY)
    assert done.returncode == 0, done.stderr
    assert "python multi_model_trainer.py --models model_a_4h model_b_1d --stage both" in done.stdout
    assert summary(workspace)["model_a_4h"]["status"] == "done"


def test_quick_start_asks_on_a_terminal_and_not_in_a_pipe(finetune: Path, workspace: Path) -> None:
    piped = train(finetune, "python", "quick_start_multi_model.py")
    assert piped.returncode == 2
    assert "--yes" in piped.stderr
    inherited, terminal = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "quick_start_multi_model.py", *TINY],
        cwd=finetune, env=environ(workspace), stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.write(inherited, b"model_z\n2\ntokenizer\n\n")
    out, err = child.communicate(timeout=300)
    os.close(inherited), os.close(terminal)
    assert child.returncode == 0, err
    assert "found 'model_z'" in out
    assert "--models model_b_1d --stage tokenizer --mode sequential" in out
    assert summary(workspace).keys() == {"model_b_1d"}


def test_a_dry_run_says_what_it_will_cost_and_writes_nothing(finetune: Path, workspace: Path) -> None:
    before = sorted(workspace.rglob("*"))
    done = train(finetune, *GUIDE, "--dry-run", "--json", "--init", "scratch", "--size", "tiny")
    assert done.returncode == 0, done.stderr
    costs = json.loads(done.stdout)
    tokenizer = costs["model_a_4h"]["cost"]["tokenizer"]
    assert tokenizer["steps"] == 5 * tokenizer["steps_per_epoch"]
    assert tokenizer["parameters"] == 22_322
    assert min(tokenizer[key] for key in ("windows", "weights_mb", "step_s", "seconds")) > 0
    assert [path for path in sorted(workspace.rglob("*")) if path not in before] == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--models"], "expected at least one argument"),
        ([], "--models is missing; this workspace has default, model_a_4h, model_b_1d"),
        (["--models", "model_z"], "model_z"),
        (["--models", "model_a_4h", "--stage", "all"], "invalid choice"),
        (["--models", "model_a_4h", "--epochs", "0"], "train.epochs"),
        (["--models", "model_a_4h", "--device", "tpu", *TINY, "--in-process"], "Unknown device 'tpu'"),
    ],
)
def test_a_wrong_flag_is_one_line_and_exit_2(finetune: Path, flags: list[str], message: str) -> None:
    done = train(finetune, "python", "multi_model_trainer.py", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_whole_pipeline_resumes_what_is_finished(finetune: Path, workspace: Path) -> None:
    first = run(workspace, "python", "full_pipeline.py", "--models", "model_a_4h", *TINY)
    assert first.returncode == 0, first.stderr
    outputs = workspace / "outputs"
    checkpoint = outputs / "models" / "model_a_4h" / "predictor" / "best_model" / "model.safetensors"
    assert (
        "edge"
        in json.loads((outputs / "models" / "model_a_4h" / "evaluation.json").read_text())["verdict"]["sentence"]["en"]
    )
    assert len(list((outputs / "forecasts" / "model_a_4h").rglob("paths.parquet"))) == 1
    assert (outputs / "reports" / "model_a_4h" / "report.html").exists()
    before = checkpoint.stat().st_mtime_ns
    again = run(workspace, "python", "full_pipeline.py", "--models", "model_a_4h", *TINY)
    assert again.returncode == 0, again.stderr
    assert "kept" in again.stdout
    assert checkpoint.stat().st_mtime_ns == before
