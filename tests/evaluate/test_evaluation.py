"""A tiny model trained and judged: what is written, what CURRENT names, what is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kronosforge.config import DatasetConfig, ModelConfig, TrainConfig
from kronosforge.core.errors import BusyError, DataError, ModelError, UsageError
from kronosforge.core.locks import locked
from kronosforge.evaluate import evaluate, evaluation, rolling
from kronosforge.evaluate.metrics import MEANS, Paths
from kronosforge.evaluate.rolling import CLOSE, Caster, Lookback
from kronosforge.forecast.weights import chosen, maybe_seen, start, untrained
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.report.model import read_model
from kronosforge.train.stages import build, train
from kronosforge.workspace.paths import model_folders
from tests.processes import until


@pytest.fixture(scope="session")
def trained_root(prepared_root: Path, config: ModelConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained")
    (root / "data").symlink_to(prepared_root / "data")
    train(config, root)
    return root


@pytest.fixture
def trained(trained_root: Path, tmp_path: Path) -> Path:
    """A workspace of its own, with a trained model."""
    shutil.copytree(trained_root, tmp_path / "w", symlinks=True)
    return tmp_path / "w"


def test_everything_is_written_and_nothing_twice(trained: Path, config: ModelConfig, monkeypatch) -> None:
    torch.manual_seed(9)
    result = evaluate(config, trained)
    path = trained / "outputs" / "models" / "model_t" / "evaluation.json"
    first = path.read_bytes()
    assert json.loads(first) == result
    assert list(result["models"]) == [
        "fine-tuned", "start", "last price", "drift", "seasonal naive", "random walk"
    ]  # fmt: skip
    tuned = result["models"]["fine-tuned"]
    assert set(tuned["series"]) == {"BTC-USD-SWAP_4H", "BTC-USDT-SWAP_4H", "ETH-USDT-SWAP_4H"}
    assert {*MEANS, "ic", "rank_ic", "vol_ic"} <= tuned["pooled"].keys()
    assert -1 < tuned["pooled"]["ic_across"]["value"] < 1
    assert tuned["pooled"]["crps"]["low"] < tuned["pooled"]["crps"]["value"] < tuned["pooled"]["crps"]["high"]
    assert sum(tuned["calibration"]["pit"]) == pytest.approx(1, abs=1e-4)
    assert result["models"]["last price"]["calibration"]["pit"] is None
    assert result["models"]["last price"]["pooled"]["crps"] == result["models"]["last price"]["pooled"]["mae"]
    assert result["origins"]["all"] == result["origins"]["judged"] == sum(result["origins"]["series"].values())
    assert result["origins"]["block"] >= 5
    tuned_crps, other = (result["models"][name]["pooled"]["crps"]["value"] for name in ("fine-tuned", "drift"))
    assert result["differences"]["fine-tuned"]["drift"]["crps"]["value"] == pytest.approx(tuned_crps / other - 1)
    checkpoint = result["provenance"]["models"]["fine-tuned"]["predictor"]
    assert checkpoint["source"] == "predictor/best_model"
    assert len(checkpoint["sha256"]["model.safetensors"]) == 64
    assert {"label", "bars"} <= result["backtest"].keys()
    # again: the finished one is found; by force: the same bytes
    monkeypatch.setattr(evaluation, "judge", lambda *a, **k: pytest.fail("computed twice"))
    assert evaluate(config, trained) == result
    monkeypatch.undo()
    evaluate(config, trained, force=True)
    assert path.read_bytes() == first


def test_examples_are_the_best_the_median_and_the_worst(trained: Path, config: ModelConfig) -> None:
    result = evaluate(config, trained)
    best, median, worst = result["examples"]
    assert [example["which"] for example in result["examples"]] == ["best", "median", "worst"]
    assert best["crps"] < median["crps"] < worst["crps"]
    last = worst["history"]["close"][-1]
    close, real = np.array(worst["quantiles"]["0.5"]) / last - 1, np.array(worst["ahead"]["close"]) / last - 1
    assert np.abs(close - real).mean() > best["crps"]
    assert worst["quantiles"]["0.05"] <= worst["quantiles"]["0.5"] <= worst["quantiles"]["0.95"]
    assert worst["history"]["time"][-1] + 4 * 3_600_000 == worst["ahead"]["time"][0]
    assert len(worst["ahead"]["close"]) == 4


def oracle(config: ModelConfig, root: Path, offset: float = 0.0) -> Caster:
    """Knows the closes to come; `offset` is how wrong it is."""
    candles = np.load(root / config.dataset_path / "native" / "test" / "candles.npy").astype(float)
    time = np.load(root / config.dataset_path / "native" / "test" / "time.npy")
    runs = json.loads((root / config.dataset_path / "native" / "index.json").read_text())["test"]
    closes = {key: dict(zip(time[o : o + n].tolist(), candles[o : o + n, CLOSE], strict=True)) for key, o, n in runs}

    def cast(lookback: Lookback) -> Paths:
        ahead = [[closes[k][t] for t in row.tolist()] for k, row in zip(lookback.series, lookback.ahead, strict=True)]
        close = np.array(ahead) / lookback.candles[:, -1:, CLOSE] - 1 + offset
        nothing = np.full(len(close), np.nan)
        return Paths(close[:, None], nothing, nothing)

    return cast


@pytest.mark.parametrize("scratch", [True, False])
@pytest.mark.parametrize(("tuned", "begun", "keep"), [(0.0, 0.5, "fine-tuned"), (0.5, 0.0, "start")])
def test_current_names_the_winner(
    trained: Path, config: ModelConfig, monkeypatch, tuned: float, begun: float, keep: str, scratch: bool
) -> None:
    """The oracle wins, on either side; where training started from random weights, there is no other to keep."""
    rules, real = config.dataset, evaluation.judge
    casters = {"fine-tuned": oracle(config, trained, tuned), "start": oracle(config, trained, begun)}
    monkeypatch.setattr(
        evaluation, "judge", lambda s, d, r, m, **k: real(s, d, rules, casters, **k | {"scratch": scratch})
    )
    current = trained / "outputs" / "models" / "model_t" / "CURRENT"
    current.write_text("{}")
    result = evaluate(config, trained)
    assert result["verdict"]["promote"] is (keep == "fine-tuned")
    if scratch and keep == "start":
        assert not current.exists()
        return
    named = json.loads(current.read_text())
    assert (named["model"], named["evaluation"]) == (keep, result["fingerprint"])
    if keep == "fine-tuned":
        assert named["predictor"]["source"] == "predictor/best_model"


def test_windows_that_may_have_been_seen_judge_nothing(trained: Path, config: ModelConfig, monkeypatch) -> None:
    """Half of the test split lies before the end of pretraining, then all of it."""
    time = np.load(trained / config.dataset_path / "native" / "test" / "time.npy")
    models = {"fine-tuned": oracle(config, trained), "start": oracle(config, trained, 0.1)}

    def judged(end: int, *, seen: bool = True) -> dict:
        monkeypatch.setattr(rolling, "PRETRAINING_END", evaluation.iso(end))
        return evaluation.judge(
            config.evaluate, trained / config.dataset_path, config.dataset, models, seen=seen, scratch=False
        )

    half = judged(int(np.median(time)))
    assert 0 < half["origins"]["possibly_seen"] < half["origins"]["all"]
    assert half["origins"]["judged"] == half["origins"]["all"] - half["origins"]["possibly_seen"]
    assert half["possibly_seen"]["start"]["mae"]["value"] == pytest.approx(0.1)
    whole = judged(int(time.max()) + 1)
    assert whole["origins"]["judged"] == 0
    assert whole["verdict"]["promote"] is False
    assert "too few origins" in whole["verdict"]["sentence"]["en"]
    assert whole["examples"] == []
    assert judged(int(time.max()) + 1, seen=False)["origins"]["possibly_seen"] == 0


def test_published_weights_are_known_by_id_and_by_shape(tmp_path: Path) -> None:
    assert maybe_seen(TrainConfig())
    assert not maybe_seen(TrainConfig(init="scratch"))
    for size, seen in (("tiny", False), ("mini", True)):
        folder = KronosPredictor(PRESETS[size].predictor).save_pretrained(tmp_path / size)
        assert maybe_seen(TrainConfig(predictor=str(folder))) is seen


def test_the_untrained_start_is_what_training_started_from(trained: Path, config: ModelConfig) -> None:
    tokenizer, predictor = untrained("tiny", config.train.seed)
    where = model_folders(config, trained)
    for name, network in (("tokenizer", tokenizer), ("predictor", predictor)):
        begun = build(config, where, name).objective.network.state_dict()
        assert all(torch.equal(value, begun[key]) for key, value in network.state_dict().items())


def test_the_start_is_what_was_trained_from_not_what_the_config_says_now(trained: Path, config: ModelConfig) -> None:
    now = config.model_copy(update={"train": TrainConfig(predictor="nobody/nothing")})
    result = evaluate(now, trained)
    assert result["provenance"]["models"]["start"] == {"untrained": True, "size": "tiny", "seed": 100}


def test_from_given_checkpoints(root: Path, config: ModelConfig, tmp_path: Path) -> None:
    """Before any training: the start alone is judged, and there is no verdict."""
    torch.manual_seed(0)
    rules = TrainConfig(
        tokenizer=str(KronosTokenizer(PRESETS["tiny"].tokenizer).save_pretrained(tmp_path / "t")),
        predictor=str(KronosPredictor(PRESETS["tiny"].predictor).save_pretrained(tmp_path / "p")),
    )
    given = config.model_copy(update={"train": rules})
    result = evaluate(given, root, models=["start"])
    assert result["verdict"] is None
    assert result["provenance"]["models"]["start"]["predictor"]["source"] == str(tmp_path / "p")
    assert not (root / "outputs" / "models" / "model_t" / "CURRENT").exists()
    assert start(rules).load()[0].arguments == PRESETS["tiny"].tokenizer


def test_what_is_refused(root: Path, trained: Path, config: ModelConfig) -> None:
    with pytest.raises(ModelError, match="train the model first"):
        evaluate(config, root)
    with pytest.raises(UsageError, match="models"):
        evaluate(config, trained, models=["best"])
    with pytest.raises(DataError, match="no finished dataset"):
        evaluate(config.model_copy(update={"dataset_path": "elsewhere"}), trained)
    manifest = trained / "outputs" / "models" / "model_t" / "predictor" / "best_model" / "training.json"
    whole = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(whole | {"facts": whole["facts"] | {"dataset": "0" * 64}}))
    with pytest.raises(DataError, match="its test bars may have been trained on"):
        evaluate(config, trained)
    manifest.unlink()  # the model of an older version, and its training not at its end
    manifest = manifest.parents[1] / "last" / "training.json"
    manifest.write_text(json.dumps(whole | {"progress": whole["progress"] | {"finished": False}}))
    with pytest.raises(ModelError, match="is not finished; continue it"):
        evaluate(config, trained)
    assert not (trained / "outputs" / "models" / "model_t" / "evaluation.json").exists()


def test_another_window_than_the_datasets_is_refused(trained: Path, config: ModelConfig) -> None:
    other = config.model_copy(update={"dataset": DatasetConfig(lookback=10, predict=2)})
    with pytest.raises(DataError, match="was prepared with other settings"):
        evaluate(other, trained)


AT_ONCE = """
import json, sys, time
from pathlib import Path
import torch
from kronosforge.config import ModelConfig
from kronosforge.evaluate import evaluate, evaluation

torch.set_num_threads(1)
folder, number = Path(sys.argv[1]), sys.argv[2]
judge = evaluation.judge

def counted(*arguments, **options):
    (folder / f"judged by {number}").touch()
    return judge(*arguments, **options)

evaluation.judge = counted
(folder / f"ready {number}").touch()
while not (folder / "go").exists():
    time.sleep(0.01)
print(json.dumps(evaluate(ModelConfig(**json.loads(sys.argv[3])), folder)))
"""


def test_four_at_once_wait_for_one_another_and_compute_it_once(trained: Path, config: ModelConfig) -> None:
    def begin(number: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", AT_ONCE, str(trained), str(number), config.model_dump_json()]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    four = [begin(number) for number in range(4)]
    assert until(lambda: len(list(trained.glob("ready *"))) == 4)
    (trained / "go").touch()
    printed = [process.communicate(timeout=120) for process in four]
    assert [process.returncode for process in four] == [0] * 4, printed
    assert len(list(trained.glob("judged by *"))) == 1
    assert len({out for out, _ in printed}) == 1
    assert any("waiting for the evaluation of model_t: process" in err for _, err in printed)


def test_a_tokenizer_trained_anew_does_not_hide_the_evaluation(trained: Path, config: ModelConfig) -> None:
    """The report compares what was evaluated with the published pair, not with the newest tokenizer."""
    evaluation = evaluate(config, trained)
    again = config.model_copy(update={"train": config.train.model_copy(update={"seed": 7})})
    train(again, trained, ["tokenizer"], force=True)
    page = read_model(trained, config.name)
    assert not page.outdated
    assert page.evaluation["fingerprint"] == evaluation["fingerprint"]


def folder_of(root: Path) -> Path:
    return root / "outputs" / "models" / "model_t"


@pytest.fixture
def promoted(trained: Path, config: ModelConfig, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace in which an evaluation promoted the fine-tuned pair."""
    judge = evaluation.judge
    casters = {"fine-tuned": oracle(config, trained), "start": oracle(config, trained, 0.5)}
    monkeypatch.setattr(evaluation, "judge", lambda s, d, r, m, **k: judge(s, d, r, casters, **k))
    evaluate(config, trained)
    monkeypatch.undo()
    return trained


@pytest.mark.parametrize("force", [True, False])
def test_current_is_written_while_no_other_evaluation_can_be(
    promoted: Path, config: ModelConfig, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    path, promote = folder_of(promoted) / "evaluation.json", evaluation.promote
    held = []

    def observed(*arguments: object) -> None:
        with pytest.raises(BusyError), locked(path, "the evaluation", wait=0):
            pass
        held.append(True)
        promote(*arguments)

    monkeypatch.setattr(evaluation, "promote", observed)
    evaluate(config, promoted, force=force)
    assert held == [True]


def test_a_promotion_counts_while_its_training_and_evaluation_stand(
    promoted: Path, config: ModelConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = chosen(folder_of(promoted), config.train, None)
    assert pair == chosen(folder_of(promoted), config.train, "current")
    assert pair.facts["predictor"]["source"] == "predictor/best_model"
    assert capsys.readouterr().err == ""


def test_a_promotion_of_another_training_is_ignored_with_a_notice(
    promoted: Path, config: ModelConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    current = folder_of(promoted) / "CURRENT"
    current.write_text(current.read_text().replace('"fine-tuned"', '"start"'))
    again = config.model_copy(update={"train": config.train.model_copy(update={"seed": 7})})
    train(again, promoted, force=True)
    capsys.readouterr()
    assert chosen(folder_of(promoted), again.train, None).facts["predictor"]["source"] == "predictor/best_model"
    notice = capsys.readouterr().err
    assert notice.count("\n") == 1
    assert "CURRENT is ignored" in notice
    assert "kronosforge evaluate --config model_t" in notice
    with pytest.raises(ModelError, match=r"another training or evaluation.*evaluate again"):
        chosen(folder_of(promoted), again.train, "current")


def test_a_promotion_whose_evaluation_is_gone_is_ignored(
    promoted: Path, config: ModelConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder_of(promoted) / "evaluation.json").unlink()
    chosen(folder_of(promoted), config.train, None)
    assert "CURRENT is ignored" in capsys.readouterr().err


def test_scores_without_a_verdict_leave_no_promotion(promoted: Path, config: ModelConfig) -> None:
    evaluate(config, promoted, models=["start"], force=True)
    assert not (folder_of(promoted) / "CURRENT").exists()


def test_a_damaged_evaluation_is_not_forecast_with(promoted: Path, config: ModelConfig) -> None:
    (folder_of(promoted) / "evaluation.json").write_text("[]")
    for weights in ("current", None):
        with pytest.raises(DataError, match=r"evaluation\.json cannot be used: .*evaluate --config model_t --force"):
            chosen(folder_of(promoted), config.train, weights)


def test_a_damaged_evaluation_is_replaced_by_force_only(promoted: Path, config: ModelConfig) -> None:
    path = folder_of(promoted) / "evaluation.json"
    content = json.loads(path.read_text())
    del content["backtest"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"backtest: Field required; recreate it with: .*--config model_t --force"):
        evaluate(config, promoted)
    assert "backtest" in evaluate(config, promoted, force=True)


@pytest.mark.parametrize("force", [True, False])
def test_a_folder_in_the_place_of_the_evaluation_is_refused_before_anything_is_computed(
    trained: Path, config: ModelConfig, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    (folder_of(trained) / "evaluation.json").mkdir()
    monkeypatch.setattr(evaluation, "judge", lambda *a, **k: pytest.fail("computed in vain"))
    with pytest.raises(DataError, match=r"evaluation\.json is a folder"):
        evaluate(config, trained, force=force)


def test_other_settings_are_named_before_they_replace_an_evaluation(
    promoted: Path, config: ModelConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    other = config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"stride": 2, "samples": 5})})
    capsys.readouterr()
    evaluate(other, promoted)
    notice = capsys.readouterr().err
    assert notice.count("\n") == 1
    assert "evaluation.json is replaced, as it was made with other settings: " in notice
    assert "stride 1 → 2" in notice
    assert "samples 6 → 5" in notice
    evaluate(other, promoted)
    assert capsys.readouterr().err == ""
