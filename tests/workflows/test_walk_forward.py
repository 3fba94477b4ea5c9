"""Walking forward with a tiny model: what moves, what is seen, what stays, and that the table says what the folds say."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kronosforge.config import ModelConfig, TrainConfig
from kronosforge.core.bars import instant
from kronosforge.core.errors import BusyError, DataError, UsageError
from kronosforge.core.evaluation_record import LAYOUT
from kronosforge.core.locks import locked
from kronosforge.dataset.verify import verify
from kronosforge.evaluate import evaluate, evaluation
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.split import SPLITS
from kronosforge.train import stages
from kronosforge.train.stages import train
from kronosforge.workflows import walk_forward as folds
from kronosforge.workflows.walk_forward import walk_forward

K = 3
PLACE = Path("outputs") / "models" / "model_t" / "folds"
WEIGHTS = [f"{stage}/best_model/model.safetensors" for stage in ("tokenizer", "predictor")]


@pytest.fixture(scope="module")
def walked(prepared_root: Path, config: ModelConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which a model that was never trained itself has walked forward."""
    root = tmp_path_factory.mktemp("walked")
    (root / "data").symlink_to(prepared_root / "data")
    walk_forward(config, K, root)
    return root


@pytest.fixture
def again(walked: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return Path(shutil.copytree(walked, tmp_path / "w", symlinks=True))


def evaluation_of(root: Path, fold: int | None = None) -> dict:
    return json.loads((root / PLACE / str(fold or "") / "evaluation.json").read_text())


def times(root: Path, fold: int, split: str) -> np.ndarray:
    return np.load(root / PLACE / str(fold) / "dataset" / "native" / split / "time.npy")


def results(root: Path) -> dict[str, bytes]:
    """What a walk leaves that another of equal inputs leaves too: all but times of day and speeds."""
    names = ("evaluation.json", "scores.npz", "model.safetensors", "candles.npy", "index.json")
    paths = [path for path in (root / PLACE).rglob("*") if path.name in names and "last" not in path.parts]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def everything(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_test_windows_move_are_disjoint_and_all_else_lies_before(walked: Path) -> None:
    length = 4 * 3_600_000
    tests = [times(walked, fold, "test") for fold in range(1, K + 1)]
    assert all(before.max() < after.min() for before, after in pairwise(tests))
    joined = np.unique(np.concatenate(tests))
    assert (np.diff(joined) == length).all()  # together they leave no gap
    assert joined.max() == max(times(walked, K, split).max() for split in SPLITS) == 1_767_225_600_000 - length
    lengths = []
    for fold, test in enumerate(tests, 1):
        train, val = times(walked, fold, "train"), times(walked, fold, "val")
        assert train.max() < val.min()
        assert val.max() < test.min()
        lengths.append(len(train))
    assert lengths == sorted(set(lengths))  # a training window that grows


def test_cuts_are_the_same_instants_for_every_series(walked: Path) -> None:
    for fold in range(1, K + 1):
        dataset = walked / PLACE / str(fold) / "dataset"
        cuts = json.loads((dataset / "data_summary.json").read_text())["cuts"]
        index = json.loads((dataset / "native" / "index.json").read_text())["test"]
        first = {int(times(walked, fold, "test")[offset]) for _, offset, _ in index}
        assert first == {instant(cuts["val_end"])}
        assert len(index) == 3
        assert all(check.ok for check in verify(dataset))


def test_the_table_is_as_old_as_its_rows(walked: Path) -> None:
    """Scores of an older kind are made again, and the table with them."""
    assert (
        {evaluation_of(walked)["schema"]}
        == {evaluation_of(walked, fold)["schema"] for fold in range(1, K + 1)}
        == {LAYOUT}
    )


def test_the_table_says_what_each_folds_own_evaluation_says(walked: Path) -> None:
    whole = evaluation_of(walked)
    for row in whole["folds"]:
        own = evaluation_of(walked, row["fold"])
        assert all(row[key] == own[key] for key in ("fingerprint", "verdict", "origins", "differences"))
        assert {name: scores["pooled"] for name, scores in row["models"].items()} == {
            name: scores["pooled"] for name, scores in own["models"].items()
        }
    assert [row["fold"] for row in whole["folds"]] == list(range(1, K + 1))


def test_the_whole_pools_every_forecast_of_every_fold(walked: Path) -> None:
    whole, rows = evaluation_of(walked), evaluation_of(walked)["folds"]
    counts = np.array([row["origins"]["judged"] for row in rows])
    assert whole["origins"]["judged"] == counts.sum()
    assert whole["origins"]["instants"] == sum(row["origins"]["instants"] for row in rows)
    assert whole["origins"]["first"] == rows[0]["origins"]["first"]
    assert whole["origins"]["last"] == rows[-1]["origins"]["last"]
    for name, scores in whole["models"].items():
        for metric in ("crps", "mae"):
            each = [row["models"][name]["pooled"][metric]["value"] for row in rows]
            assert scores["pooled"][metric]["value"] == pytest.approx(np.average(each, weights=counts))
    for other, difference in whole["differences"]["fine-tuned"].items():
        each = [row["differences"]["fine-tuned"][other]["crps"]["value"] for row in rows]
        crps_values = [row["models"][other]["pooled"]["crps"]["value"] for row in rows]  # a difference is a share of it
        assert difference["crps"]["value"] == pytest.approx(np.average(each, weights=counts * crps_values))
        assert difference["crps"]["low"] < difference["crps"]["value"] < difference["crps"]["high"]
        assert whole["lower_in"][other] == sum(value < 0 for value in each)
    assert "over 3 folds" in whole["verdict"]["sentence"]["en"]
    assert whole["verdict"]["keep"] is None


def record_anew(dataset: Path) -> None:
    """Make the manifest say what the files hold now."""
    path = dataset / "data_summary.json"
    summary = json.loads(path.read_text())
    for file in summary["files"]:
        content = (dataset / file["filename"]).read_bytes()
        file |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    path.write_text(json.dumps(summary))


def test_bars_from_the_test_window_on_train_and_select_nothing(
    walked: Path, prepared_root: Path, config: ModelConfig, tmp_path: Path
) -> None:
    """Other prices from fold 1's test window on: its weights are the same to the last bit, and the last fold's,
    which trains on those bars, are not."""
    shutil.copytree(prepared_root / "data", tmp_path / "data")
    begin = times(walked, 1, "test").min()
    for split in SPLITS:
        folder = tmp_path / config.dataset_path / "native" / split
        candles, late = np.load(folder / "candles.npy"), np.load(folder / "time.npy") >= begin
        rising = np.linspace(0.5, 2, late.sum(), dtype=np.float32)[:, None]
        candles[late, :4] *= rising
        np.save(folder / "candles.npy", candles)
    record_anew(tmp_path / config.dataset_path)
    walk_forward(config, K, tmp_path)
    first, last = (
        [
            (tmp_path / PLACE / fold / name).read_bytes() == (walked / PLACE / fold / name).read_bytes()
            for name in WEIGHTS
        ]
        for fold in ("1", str(K))
    )
    assert first == [True, True]
    assert last == [False, False]
    assert evaluation_of(tmp_path, 1)["models"] != evaluation_of(walked, 1)["models"]


def test_the_models_own_files_are_not_touched(root: Path, prepared_root: Path, config: ModelConfig) -> None:
    train(config, root)
    evaluate(config, root)
    own, dataset = root / "outputs" / "models" / "model_t", prepared_root / config.dataset_path
    before = everything(own), everything(dataset)
    walk_forward(config, 2, root)
    after = {name: data for name, data in everything(own).items() if not name.startswith(("folds/", ".folds.lock"))}
    assert (after, everything(dataset)) == before
    assert not list((own / "folds").rglob("CURRENT"))


def test_folds_are_trained_as_the_model_was(root: Path, config: ModelConfig) -> None:
    """Whatever the config says now: of a model trained in part, too."""
    longer = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 2, "seed": 7})})
    train(longer, root)
    state = root / "outputs" / "models" / "model_t" / "predictor" / "last" / "training.json"
    state.write_text(state.read_text().replace('"finished": true', '"finished": false'))
    given = walk_forward(config, 2, root)["provenance"]["train"]
    assert (given["epochs"], given["seed"]) == (2, 7)
    facts = json.loads((root / PLACE / "1" / "predictor" / "last" / "training.json").read_text())["facts"]
    assert (facts["epochs"], facts["seed"]) == (2, 7)


def test_what_is_finished_is_found_again(again: Path, config: ModelConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it; without the table, the folds; with other settings of the evaluation, the trainings."""
    before = results(again)
    monkeypatch.setattr(folds, "train", lambda *a, **k: pytest.fail("trained twice"))
    walk_forward(config, K, again)
    monkeypatch.undo()
    (again / PLACE / "evaluation.json").unlink()
    monkeypatch.setattr(evaluation, "judge", lambda *a, **k: pytest.fail("judged twice"))
    walk_forward(config, K, again)
    monkeypatch.undo()
    assert results(again) == before
    weights = {name: data for name, data in before.items() if name.endswith("safetensors")}
    restrided = config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"stride": 2})})
    monkeypatch.setattr(stages, "Training", lambda *a, **k: pytest.fail("trained twice"))
    assert walk_forward(restrided, K, again)["origins"]["judged"] < told_of(before)["origins"]["judged"]
    assert {name: data for name, data in results(again).items() if name in weights} == weights


def told_of(before: dict[str, bytes]) -> dict:
    return json.loads(before[(PLACE / "evaluation.json").as_posix()])


def test_scores_that_were_lost_are_made_again(again: Path, config: ModelConfig) -> None:
    before = results(again)
    (again / PLACE / "evaluation.json").unlink()
    (again / PLACE / "2" / "scores.npz").write_bytes(b"cut short")
    walk_forward(config, K, again)
    assert results(again) == before


def test_folds_that_are_being_written_are_waited_for(
    again: Path, config: ModelConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    (again / PLACE / "evaluation.json").unlink()
    program = "import sys; from pathlib import Path; from kronosforge.core.locks import locked\n"
    program += "with locked(Path(sys.argv[1]), 'the folds'): print(flush=True); sys.stdin.readline()"
    command = [sys.executable, "-c", program, str(again / PLACE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin and holder.stdout
        holder.stdout.readline()
        threading.Timer(0.5, holder.stdin.close).start()
        assert walk_forward(config, K, again) == evaluation_of(again)
    assert f": process {holder.pid} on " in capsys.readouterr().err


@pytest.mark.parametrize("number", [-1, 0, 1, 51])
def test_wrong_numbers_are_refused_with_what_is_allowed(root: Path, config: ModelConfig, number: int) -> None:
    with pytest.raises(UsageError, match=f"found {number}; allowed: 2 to 50"):
        walk_forward(config, number, root)


def test_more_folds_than_fit_leave_nothing_behind(root: Path, config: ModelConfig) -> None:
    with pytest.raises(DataError, match=r"Fold \d+ of 50 has too few windows .* records per series"):
        walk_forward(config, 50, root)
    assert not (root / PLACE).exists()


def test_more_folds_than_fit_replace_nothing_by_force(again: Path, config: ModelConfig) -> None:
    before = everything(again / PLACE)
    with pytest.raises(DataError, match="of 50 has too few windows"):
        walk_forward(config, 50, again, force=True)
    assert everything(again / PLACE) == before


def test_the_dataset_is_held_while_its_fingerprint_is_taken(
    again: Path, config: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, held = folds.finished_manifest, []

    def observed(dataset: Path, config: ModelConfig) -> Any:
        with pytest.raises(BusyError), locked(dataset, "the dataset", wait=0):
            pass
        held.append(True)
        return manifest(dataset, config)

    monkeypatch.setattr(folds, "finished_manifest", observed)
    walk_forward(config, K, again)
    assert held


@pytest.mark.parametrize("damage", ["[]", '{"schema": 4}', ""])
@pytest.mark.parametrize("fold", ["", "2"])
def test_a_damaged_table_is_made_anew_from_the_trained_folds(
    again: Path,
    config: ModelConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    damage: str,
    fold: str,
) -> None:
    before = results(again)
    monkeypatch.setattr(stages, "Training", lambda *a, **k: pytest.fail("trained twice"))
    if fold:
        (again / PLACE / "evaluation.json").unlink()
    (again / PLACE / fold / "evaluation.json").write_text(damage)
    capsys.readouterr()
    walk_forward(config, K, again)
    assert results(again) == before
    assert "evaluation.json cannot be used: " in capsys.readouterr().err


def test_a_folder_in_the_place_of_the_table_is_refused(again: Path, config: ModelConfig) -> None:
    path = again / PLACE / "evaluation.json"
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"evaluation\.json is a folder.*evaluate --config model_t --folds 3"):
        walk_forward(config, K, again)


def test_other_folds_are_replaced_by_force_only(again: Path, config: ModelConfig) -> None:
    before = everything(again / PLACE)
    with pytest.raises(UsageError, match=r"holds folds of another history or number \(3 × .*requested: 2 × .*--force"):
        walk_forward(config, 2, again)
    slower = config.model_copy(update={"train": config.train.model_copy(update={"predictor_lr": 1e-4})})
    with pytest.raises(UsageError, match=r"predictor_lr None → 0\.0001"):
        walk_forward(slower, K, again)
    assert everything(again / PLACE) == before
    assert len(walk_forward(config, 2, again, force=True)["folds"]) == 2
    assert not (again / PLACE / "3").exists()


def test_without_a_dataset_it_says_so(tmp_path: Path, config: ModelConfig) -> None:
    with pytest.raises(DataError, match="holds no finished dataset"):
        walk_forward(config, K, tmp_path)


def test_every_fold_starts_from_the_given_weights(root: Path, config: ModelConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    rules = TrainConfig(
        tokenizer=str(KronosTokenizer(PRESETS["tiny"].tokenizer).save_pretrained(tmp_path / "t")),
        predictor=str(KronosPredictor(PRESETS["tiny"].predictor).save_pretrained(tmp_path / "p")),
        freeze_tokenizer=True,
        epochs=1,
        windows_per_epoch=16,
        batch_size=16,
    )
    walk_forward(config.model_copy(update={"train": rules}), 2, root)
    starts = [evaluation_of(root, fold)["provenance"]["models"]["start"] for fold in (1, 2)]
    assert starts[0] == starts[1] == evaluation_of(root)["provenance"]["models"]["start"]
    assert starts[0]["predictor"]["source"] == str(tmp_path / "p")


CONFIG = """
from kronosforge.config import ModelConfig
config = ModelConfig(**{values!r})
"""


def test_stopped_and_killed_it_goes_on_to_the_same_bytes(walked: Path, root: Path, config: ModelConfig) -> None:
    """Ctrl-C in fold 2, SIGKILL in fold 3, and once more: exit codes 130, -9, 0."""
    place = root / "Kronos" / "finetune"
    place.mkdir(parents=True)
    (place / "config_model_t.py").write_text(CONFIG.format(values=config.model_dump(exclude={"name"})))
    line = [sys.executable, "-m", "kronosforge", "evaluate", "--config", "model_t", "--folds", str(K)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_")}
    environ = {**kept, "OMP_NUM_THREADS": "1", "KRONOS_LANG": "en"}

    def until(fold: int, number: signal.Signals) -> int:
        """Run until that fold is done, and send the signal."""
        with subprocess.Popen(
            line, cwd=root, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # ignored in the background
        ) as process:  # fmt: skip
            assert process.stderr is not None
            for printed in process.stderr:
                if printed.startswith(f"model_t fold {fold} of {K}: "):
                    process.send_signal(number)
                    break
            process.stderr.read()
            return process.wait()

    assert until(1, signal.SIGINT) == 130
    assert until(2, signal.SIGKILL) == -signal.SIGKILL
    assert not (root / PLACE / "evaluation.json").exists()
    done = subprocess.run([*line, "--json"], cwd=root, env=environ, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == evaluation_of(root)
    assert results(root) == results(walked)
