"""A tokenizer and a predictor that belong together stay together, whatever becomes of a later training."""

import json
import shutil
from pathlib import Path

import pytest

from kronosforge.config import ModelConfig
from kronosforge.core.errors import ModelError, UsageError
from kronosforge.forecast import Forecaster
from kronosforge.forecast.weights import begun, chosen, fine_tuned, trained, tuned_pair
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.model.checkpoint import digest
from kronosforge.model.presets import refuse_mismatch, refuse_other_publication
from kronosforge.train import loop, train
from kronosforge.workflows.fleet import read_stages
from kronosforge.workflows.forecast import forecast
from tests.train.conftest import TINY, model

MODELS = Path("outputs") / "models" / "model_t"


@pytest.fixture(scope="module")
def finished(prepared_root: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which both stages ran to their end."""
    root = tmp_path_factory.mktemp("finished")
    (root / "data").symlink_to(prepared_root / "data")
    train(model(shared), root)
    return root


@pytest.fixture
def workspace(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "w s", symlinks=True))


def with_seed(config: ModelConfig) -> ModelConfig:
    """Settings that give other weights."""
    return config.model_copy(update={"train": TINY.model_copy(update={"seed": 7})})


def digests(models: Path) -> tuple[str, str]:
    tokenizer, predictor = fine_tuned(models, TINY).load()
    return digest(tokenizer), digest(predictor)


def test_a_predictor_is_published_with_the_tokenizer_it_was_trained_on(workspace: Path) -> None:
    best = workspace / MODELS / "predictor" / "best_model"
    record = json.loads((best / "training.json").read_text())
    assert record["facts"]["tokenizer_ids"] == digest(KronosTokenizer.from_pretrained(best / "tokenizer"))
    assert record["progress"]["finished"]
    assert not (best.parent / "candidate").exists()
    assert digest(KronosPredictor.from_pretrained(best))  # the folder is an ordinary checkpoint still


def test_a_tuned_model_forecasts_with_the_clip_of_its_training(workspace: Path, tmp_path: Path) -> None:
    models = shutil.copytree(workspace / MODELS, tmp_path / "model")
    path = models / "predictor" / "best_model" / "training.json"
    record = json.loads(path.read_text())
    assert record["facts"].pop("dataset_clip") == 5.0
    path.write_text(json.dumps(record))
    assert Forecaster.from_tuned(models).clip == 5.0  # of a training that did not record it
    record["facts"]["dataset_clip"] = 3.0
    path.write_text(json.dumps(record))
    assert Forecaster.from_tuned(models).clip == 3.0


def test_a_forecast_with_another_clip_than_that_of_training_is_refused(workspace: Path, config: ModelConfig) -> None:
    other = config.model_copy(update={"dataset": config.dataset.model_copy(update={"clip": 3.0})})
    with pytest.raises(UsageError, match=r"dataset\.clip is 3, and .* was trained with 5; set it back"):
        forecast(other, workspace, {})


def test_training_the_tokenizer_alone_leaves_the_pair_as_it_was(workspace: Path, config: ModelConfig) -> None:
    before = digests(workspace / MODELS)
    train(with_seed(config), workspace, ["tokenizer"], force=True)
    own = digest(KronosTokenizer.from_pretrained(workspace / MODELS / "tokenizer" / "best_model"))
    assert own != before[0]
    assert digests(workspace / MODELS) == before
    train(with_seed(config), workspace, ["predictor"], force=True)
    assert digests(workspace / MODELS)[0] == own


@pytest.mark.parametrize("stage", ["tokenizer", "predictor"])
def test_a_retraining_that_dies_leaves_the_old_pair(
    workspace: Path, config: ModelConfig, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    before, record = digests(workspace / MODELS), begun(workspace / MODELS)

    def die(self: loop.Training, batch: object, **options: object) -> object:
        if self.stage.name == stage and self.progress.step == 2:
            raise MemoryError
        return step(self, batch, **options)

    step = loop.Training.step
    monkeypatch.setattr(loop.Training, "step", die)
    with pytest.raises(Exception, match="out of memory"):
        train(with_seed(config), workspace, force=True)
    assert digests(workspace / MODELS) == before
    assert trained(workspace / MODELS) == record
    monkeypatch.undo()
    train(with_seed(config), workspace, resume=True)
    assert digests(workspace / MODELS) != before


def of_an_older_version(models: Path) -> None:
    """What training left before the pair was published together."""
    best = models / "predictor" / "best_model"
    shutil.rmtree(best / "tokenizer")
    (best / "training.json").unlink()


def test_a_pair_of_an_older_version_is_checked_by_its_digest(workspace: Path, config: ModelConfig) -> None:
    of_an_older_version(workspace / MODELS)
    assert tuned_pair(workspace / MODELS).tokenizer == workspace / MODELS / "tokenizer" / "best_model"
    other = KronosTokenizer.from_pretrained(workspace / MODELS / "tokenizer" / "best_model")
    other.head.weight.data.mul_(2)
    other.save_pretrained(workspace / MODELS / "tokenizer" / "best_model")
    with pytest.raises(ModelError, match=r"is not the tokenizer that the predictor in .* was trained with") as error:
        chosen(workspace / MODELS, config.train, "fine-tuned")
    assert error.value.exit_code == 5
    with pytest.raises(ModelError, match="--stage predictor --force"):
        Forecaster.from_tuned(workspace / MODELS)


def test_networks_that_do_not_belong_together_are_refused_where_they_are_loaded() -> None:
    tiny, mini, small = PRESETS["tiny"], PRESETS["mini"], PRESETS["small"]
    with pytest.raises(ModelError, match=r"6 \+ 6 bits and the predictor reads 10 \+ 10"):
        Forecaster(KronosTokenizer(tiny.tokenizer), KronosPredictor(mini.predictor))
    with pytest.raises(ModelError, match="reads the ids of NeoQuasar/Kronos-Tokenizer-2k"):
        refuse_mismatch(small.tokenizer, mini.predictor)
    with pytest.raises(ModelError, match="reads the ids of NeoQuasar/Kronos-Tokenizer-base"):
        refuse_mismatch(mini.tokenizer, small.predictor)
    for preset in PRESETS.values():
        refuse_mismatch(preset.tokenizer, preset.predictor)


def test_hub_ids_that_were_published_apart_are_refused_before_anything_is_downloaded(
    config: ModelConfig, root: Path
) -> None:
    mixed = {"init": "pretrained", "tokenizer": "NeoQuasar/Kronos-Tokenizer-base", "predictor": "NeoQuasar/Kronos-mini"}
    with pytest.raises(ModelError, match="Kronos-mini was published with NeoQuasar/Kronos-Tokenizer-2k"):
        train(config.model_copy(update={"train": TINY.model_copy(update=mixed)}), root)
    for preset in PRESETS.values():
        if preset.hub:
            refuse_other_publication(*preset.hub)
    refuse_other_publication("my/tokenizer", "NeoQuasar/Kronos-mini")


DAMAGE = {
    "empty": (b"", "it is not JSON"),
    "cut short": (b'{"progress": {"epoch": 1', "it is not JSON"),
    "a list": (b"[]", "the whole file"),
    "a wrong type": (b'{"progress": {"epoch": "one"}, "facts": {}}', "progress.epoch"),
    "a missing key": (b'{"facts": {}}', "progress: Field required"),
    "not UTF-8": (b"\xff\xfe{}", "it is not UTF-8 text"),
    "nested without end": (b"[" * 100_000, "recursion"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_record_is_said_in_one_line_with_the_way_out(
    workspace: Path, config: ModelConfig, damage: str
) -> None:
    content, reason = DAMAGE[damage]
    record = workspace / MODELS / "predictor" / "last" / "training.json"
    record.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be used") as error:
        train(config, workspace, resume=True)
    assert str(record) in str(error.value)
    assert reason in str(error.value)
    assert "kronosforge train --models model_t --force" in str(error.value)
    assert "\n" not in str(error.value)
    assert digests(workspace / MODELS)  # what was published is not hidden by it
    (workspace / MODELS / "predictor" / "best_model" / "training.json").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be used"):
        begun(workspace / MODELS)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"model": "mine"}', b"\xff"])
def test_a_damaged_current_is_said_in_one_line(workspace: Path, config: ModelConfig, content: bytes) -> None:
    (workspace / MODELS / "CURRENT").write_bytes(content)
    with pytest.raises(ModelError, match=r"CURRENT cannot be used: .*kronosforge evaluate --config model_t --force"):
        chosen(workspace / MODELS, config.train, None)


def test_a_training_that_is_not_finished_needs_a_word(workspace: Path, config: ModelConfig) -> None:
    record = workspace / MODELS / "predictor" / "last" / "training.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"progress": content["progress"] | {"finished": False}}))
    with pytest.raises(UsageError, match="is not finished; use --resume to continue it, or --force to train again"):
        train(config, workspace)


@pytest.mark.parametrize(
    ("part", "key", "value", "reason"),
    [("facts", "dataset", None, "facts: Value error, dataset is missing"),
     ("progress", "epochs", [], "best_epoch 2 is not one of the 0 epochs"),
     ("progress", "epochs", [{"epoch": 0}] * 3, "progress.epochs.0.train: Field required")],
)  # fmt: skip
def test_a_record_that_lacks_what_is_read_of_it_is_damaged(
    workspace: Path, config: ModelConfig, part: str, key: str, value: object, reason: str
) -> None:
    path = workspace / MODELS / "tokenizer" / "last" / "training.json"
    content = json.loads(path.read_text())
    content[part][key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=reason):
        train(config, workspace, resume=True)
    assert list(read_stages(workspace / MODELS)) == ["predictor"]  # the summary keeps what can be read


def test_a_pair_of_an_older_version_is_kept_before_its_tokenizer_is_replaced(
    workspace: Path, config: ModelConfig
) -> None:
    best = workspace / MODELS / "predictor" / "best_model"
    before = {path.name: path.read_bytes() for path in (best / "tokenizer").iterdir()}
    shutil.rmtree(best / "tokenizer")
    (best / "training.json").unlink()
    again = config.model_copy(update={"train": TINY.model_copy(update={"seed": 7})})
    train(again, workspace, ["tokenizer"], force=True)
    pair = tuned_pair(workspace / MODELS)
    assert pair.tokenizer
    assert {path.name: path.read_bytes() for path in pair.tokenizer.iterdir()} == before


def other_bytes(path: Path) -> None:
    """32 bytes in the middle of a file, flipped: what a disk or a copy may do, and safetensors does not notice."""
    content = bytearray(path.read_bytes())
    middle = slice(len(content) // 2, len(content) // 2 + 32)
    content[middle] = bytes(byte ^ 0x0F for byte in content[middle])
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer/model.safetensors", "config.json"])
def test_a_published_file_that_changed_is_not_used(workspace: Path, config: ModelConfig, name: str) -> None:
    other_bytes(workspace / MODELS / "predictor" / "best_model" / name)
    message = rf"best_model/{name} cannot be used \(its content.*kronosforge train --models model_t --force"
    for use in (
        lambda: fine_tuned(workspace / MODELS, TINY),
        lambda: Forecaster.from_tuned(workspace / MODELS),
        lambda: train(config, workspace, resume=True),
    ):
        with pytest.raises(ModelError, match=message):
            use()
    train(config, workspace, force=True)
    digests(workspace / MODELS)


def test_a_published_file_that_is_gone_is_not_used(workspace: Path) -> None:
    (workspace / MODELS / "predictor" / "best_model" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model.safetensors cannot be used \(No such file.*--force"):
        fine_tuned(workspace / MODELS, TINY)


def test_a_record_that_leads_nowhere_is_damage_and_no_older_training(workspace: Path) -> None:
    record = workspace / MODELS / "predictor" / "best_model" / "training.json"
    record.unlink()
    record.symlink_to("nowhere")
    with pytest.raises(ModelError, match=r"training\.json cannot be used"):
        fine_tuned(workspace / MODELS, TINY)


@pytest.mark.parametrize("stage", ["tokenizer", "predictor"])
def test_a_finished_training_without_its_published_model_is_not_kept(
    workspace: Path, config: ModelConfig, stage: str
) -> None:
    shutil.rmtree(workspace / MODELS / stage / "best_model")
    with pytest.raises(ModelError, match=r"config.json cannot be used \(it is missing\).*--models model_t --force"):
        train(config, workspace, [stage])
    train(config, workspace, force=True)
    digests(workspace / MODELS)


def test_a_predictor_is_not_trained_on_a_tokenizer_that_changed(workspace: Path, config: ModelConfig) -> None:
    other_bytes(workspace / MODELS / "tokenizer" / "best_model" / "model.safetensors")
    with pytest.raises(ModelError, match=r"tokenizer/best_model/model.safetensors cannot be used \(its content"):
        train(with_seed(config), workspace, ["predictor"], force=True)
