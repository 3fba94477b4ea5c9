"""The model's page and the fleet's as bytes: they say what the stages left, and no more."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from kronosforge.core.evaluation_record import LAYOUT
from kronosforge.report import write_fleet_page, write_model_report
from kronosforge.report.figures import MOST_POINTS, points_in_one, thinned
from tests.report.finished import evaluated, prepared, trained, walked
from tests.report.test_page import HOSTILE, Page, spoiled

DATA = "0123456789abcdef" * 4  # the summary's fingerprint


@pytest.fixture
def root(tmp_path: Path, summary: dict[str, Any]) -> Path:
    """A workspace with one model that went all the way."""
    prepared(tmp_path, summary)
    for stage in ("tokenizer", "predictor"):
        trained(tmp_path, stage, DATA)
    evaluated(tmp_path, DATA)
    return tmp_path


def page(root: Path, name: str = "model_a") -> Page:
    return Page(write_model_report(root, name).read_text("utf-8"))


def figures(root: Path) -> list[dict[str, Any]]:
    html = write_model_report(root, "model_a").read_text("utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert data is not None
    drawn: list[dict[str, Any]] = json.loads(data[1], parse_constant=pytest.fail)["figures"]
    return drawn


def test_it_says_what_the_stages_left(root: Path) -> None:
    page_text = page(root).text
    for part in (
        "Model_A_4H",
        "No edge: keep the start checkpoint; why.",
        "3,886",
        "the validation split of BTC-USDT-SWAP_1D has 31 windows",
        "Training ends at 2025-08-01 00:00",
        "Validation: Reconstruction 3.0000 → 1.0000; the best is epoch 2 of 3.",
        "−66.7 %",
        "50.0 → 50.0 %",
        "Validation: Loss 3.0000 → 1.0000; the best is epoch 2 of 3.",
        "500 forecasts of 10 bars each on the test split, 2025-11-27 00:00 → 2025-12-30 08:00",
        "100 more may have been seen in pretraining",
        "1.230 [1.030, 1.430]",
        "✓ −20.0 [−25.0, −15.0]",
        "✗ 30.0 [20.0, 40.0]",
        "✓ 10.0 [5.0, 15.0]",
        "The worst 最差 BTC-USDT-SWAP_4H",
        "A simple backtest.",
        "10.8 4.50 [−3.50, 12.50] 3.0 368.9 17",
        "kronosforge train --models model_a --init scratch --size tiny --epochs 3 --stage both",
        "kronosforge evaluate --config model_a --stride 1 --samples 32",
        "torch 2.9.0",
        DATA,
    ):
        assert part in page_text, part


def test_only_what_is_clear_of_zero_is_marked(root: Path) -> None:
    page_text = page(root).text
    table = page_text[
        page_text.index("Fine-tuned model minus each other model") : page_text.index("the interval is clear of zero")
    ]
    assert [table.count(mark) for mark in "✓✗"] == [4, 2]  # one of each is the key


def test_its_links_lead_somewhere(root: Path) -> None:
    write_fleet_page(root)
    for path in (write_model_report(root, "model_a"), write_fleet_page(root)):
        content = Page(path.read_text("utf-8"))
        ids = {value for _, name, value in content.attributes if name == "id"}
        links = [value for _, name, value in content.attributes if name == "href" and not value.startswith("data:")]
        assert links
        assert all(link[1:] in ids if link.startswith("#") else (path.parent / link).is_file() for link in links)


@pytest.mark.parametrize(
    ("stages", "finished", "sentence"),
    [
        ((), True, "Not trained yet"),
        (("tokenizer",), True, "Training is not finished"),
        (("tokenizer", "predictor"), False, "Training is not finished"),
        (("tokenizer", "predictor"), True, "Trained, not evaluated yet"),
        (("predictor",), True, "Trained, not evaluated yet"),
    ],
)
def test_the_top_says_how_far_it_is(
    tmp_path: Path, summary: dict[str, Any], stages: tuple[str, ...], finished: bool, sentence: str
) -> None:
    prepared(tmp_path, summary)
    for stage in stages:
        trained(tmp_path, stage, DATA, finished=finished)
    content = page(tmp_path)
    assert content.texts[content.texts.index(sentence)] == sentence
    assert "kronosforge evaluate --config model_a" in content.text
    assert ("section", "id", "calibration") not in content.attributes


def test_nothing_but_a_name(tmp_path: Path) -> None:
    assert "There is no finished dataset yet; prepare it with" in page(tmp_path).text


@pytest.mark.parametrize("stage", ["tokenizer", "predictor"])
def test_other_weights_than_those_judged_have_no_verdict(root: Path, stage: str) -> None:
    (root / "outputs/models/model_a" / stage / "best_model/model.safetensors").write_text("trained again")
    page_text = page(root).text
    assert "Changed since the evaluation" in page_text
    assert "No edge: keep the start checkpoint" not in page_text
    assert "No edge" not in Page(write_fleet_page(root).read_text("utf-8")).text


def test_another_dataset_than_that_trained_on_is_told(root: Path, summary: dict[str, Any]) -> None:
    other = summary | {"fingerprint": "f" * 64}
    (root / "data/kronos_datasets/model_a/data_summary.json").write_text(json.dumps(other))
    page_text = page(root).text
    assert "Trained on another dataset than the one here: tokenizer, predictor." in page_text
    assert "Changed since the evaluation" in page_text


def test_the_start_is_kept_where_no_epoch_was_better(tmp_path: Path) -> None:
    trained(tmp_path, "predictor", DATA, best=0)
    assert "No epoch was better than the start (Loss 1.0000): the start is kept." in page(tmp_path).text
    assert figures(tmp_path)[0]["marks"] == [{"x": 0, "name": {"en": "best: epoch 0", "zh": "最佳：第 0 轮"}}]


def test_long_curves_are_thinned_to_means(tmp_path: Path) -> None:
    trained(tmp_path, "predictor", DATA, steps=3 * 1300)
    traces = figures(tmp_path)[0]["traces"]
    lengths = {len(trace["x"]) for trace in traces if trace["kind"] == "thin"}
    assert lengths == {975}
    assert "each point is the mean of 4 steps" in page(tmp_path).text
    x, y = thinned(list(range(1, 2502)), ([1.0, math.nan, 3.0] * 834)[:2501])
    assert (len(x), points_in_one(2501), x[-1], y[0], y[-1]) == (834, 3, 2501, 2.0, 1.0)
    assert len(thinned(range(MOST_POINTS), [0.0] * MOST_POINTS)[0]) == MOST_POINTS


def test_a_killed_runs_last_line_is_left_out(root: Path) -> None:
    before = write_model_report(root, "model_a").read_bytes()
    with (root / "outputs/models/model_a/predictor/metrics.jsonl").open("a") as journal:
        journal.write('{"kind": "step", "step": 91, "los')
    assert write_model_report(root, "model_a").read_bytes() == before


def test_equal_json_gives_equal_bytes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_model_report(root, "model_a").read_bytes(), write_fleet_page(root).read_bytes()
    monkeypatch.setenv("KRONOS_LANG", "zh")
    assert (write_model_report(root, "model_a").read_bytes(), write_fleet_page(root).read_bytes()) == before


def numbers(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the numbers and nothing else stand in `value`."""
    if isinstance(value, dict):
        return [content for key, part_value in value.items() for content in numbers(part_value, (*at, key))]
    if isinstance(value, list):
        return [content for i, part_value in enumerate(value) for content in numbers(part_value, (*at, i))]
    return [at] if isinstance(value, int | float) else []


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_numbers_that_are_none_stay_dashes(root: Path, nothing: float | None) -> None:
    folder = root / "outputs/models/model_a"
    content = json.loads((folder / "evaluation.json").read_text())
    for at in numbers({key: value for key, value in content.items() if key != "schema"}):
        holder = content
        for key in at[:-1]:
            holder = holder[key]
        holder[at[-1]] = nothing
    (folder / "evaluation.json").write_text(json.dumps(content))
    journal = folder / "predictor" / "metrics.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        line |= {key: nothing for key in ("loss", "s1", "norm", "lr", "best", "val", "train") if key in line}
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    page_text = page(root).text
    assert figures(root)
    assert not re.search(r"\b(nan|inf|None)\b", page_text, re.IGNORECASE)


@pytest.mark.parametrize("part", ["models", "differences", "backtest", "examples", "origins", "provenance", "notes"])
def test_a_part_that_is_absent_is_left_out(root: Path, part: str) -> None:
    path = root / "outputs/models/model_a/evaluation.json"
    content = json.loads(path.read_text())
    for absent in ({**content, part: None}, {key: part_value for key, part_value in content.items() if key != part}):
        path.write_text(json.dumps(absent))
        assert page(root).open == []
        write_fleet_page(root)


def test_hostile_texts_stay_text(root: Path, summary: dict[str, Any]) -> None:
    allowed = set(page(root).tags)
    path = root / "outputs/models/model_a/evaluation.json"
    content = json.loads(path.read_text())
    hostile = spoiled({key: content[key] for key in ("verdict", "notes")})
    hostile["models"] = {HOSTILE: content["models"]["fine-tuned"]} | content["models"]
    hostile["examples"] = [{**part_value, "series": HOSTILE, "model": HOSTILE} for part_value in content["examples"]]
    hostile["backtest"] = {
        **content["backtest"],
        "label": {"en": HOSTILE, "zh": HOSTILE},
        "bars": {HOSTILE: content["backtest"]["bars"]["4H"]},
    }
    path.write_text(json.dumps(content | hostile))
    named = summary | {"model_name": HOSTILE, "warnings": [HOSTILE]}
    (root / "data/kronos_datasets/model_a/data_summary.json").write_text(json.dumps(named))
    for spoilt in (page(root), Page(write_fleet_page(root).read_text("utf-8"))):
        assert set(spoilt.tags) <= allowed
        assert not [name for _, name, _ in spoilt.attributes if name.startswith("on")]
        assert HOSTILE in spoilt.text
    assert HOSTILE in json.dumps(figures(root), ensure_ascii=False).replace('\\"', '"')


def test_the_fleet_stands_side_by_side(root: Path, summary: dict[str, Any]) -> None:
    prepared(root, summary | {"model_name": "Model_B"}, "model_b")
    trained(root, "tokenizer", DATA, "model_c")
    trained(root, "predictor", DATA, "model_c")
    evaluated(root, DATA, "model_c", promote=True)
    write_model_report(root, "model_a")
    content = Page(write_fleet_page(root).read_text("utf-8"))
    assert content.tags.count("tr") == 4
    for part in (
        "3 models, 1 promoted",
        "Model_B Not trained yet",
        "model_c Promoted",
        "1.230 [1.030, 1.430] random walk",
    ):
        assert part in content.text.replace("尚未训练", "").replace("采用", ""), part
    assert [value for tag, name, value in content.attributes if (tag, name) == ("a", "href")] == ["model_a/report.html"]
    assert content.tags.count("script") == 2  # no chart, no chart library


def test_the_folds_stand_in_a_table_and_the_whole_below(root: Path) -> None:
    assert ("section", "id", "folds") not in page(root).attributes
    walked(root, DATA)
    page_text = page(root).text
    for part in (
        "No edge over 3 folds; why.",
        "3 trainings, each evaluated on the bars that followed; below each mean its 95 % interval.",
        "1 2025-12-01 00:00 → 2025-12-09 08:00 160 1.230 [1.030, 1.430] 1.230 [1.030, 1.430]",
        "untrained start 3, random walk 1.",
        "How it was pooled.",
        "kronosforge evaluate --config model_a --stride 1 --samples 32 --folds 3",
    ):
        assert part in page_text, part
    table = page_text[page_text.index("3 trainings") : page_text.index("How it was pooled")]
    assert table.count("160") == 4  # three folds and the whole
    assert table.count("✓") == 1


def test_folds_of_other_data_or_settings_are_not_told(root: Path) -> None:
    content = walked(root, DATA)
    path = root / "outputs/models/model_a/folds/evaluation.json"
    given = content["provenance"]
    for other in ({"dataset": "f" * 64}, {"train": {**given["train"], "epochs": 9}}):
        path.write_text(json.dumps({**content, "provenance": {**given, **other}}))
        page_text = page(root).text
        assert "These folds were made from another dataset or with other settings" in page_text
        assert "kronosforge evaluate --config model_a --folds 3 --force" in page_text
        assert "No edge over 3 folds" not in page_text


def test_folds_of_a_model_that_was_never_trained_itself(tmp_path: Path, summary: dict[str, Any]) -> None:
    prepared(tmp_path, summary)
    walked(tmp_path, DATA)
    page_text = page(tmp_path).text
    assert "Not trained yet" in page_text
    assert "No edge over 3 folds; why." in page_text


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_numbers_of_folds_that_are_none_stay_dashes(root: Path, nothing: float | None) -> None:
    content = walked(root, DATA)
    for at in numbers({key: content[key] for key in ("folds", "models", "lower_in", "origins")}):
        holder = content
        for key in at[:-1]:
            holder = holder[key]
        holder[at[-1]] = nothing
    (root / "outputs/models/model_a/folds/evaluation.json").write_text(json.dumps(content))
    page_text = page(root).text
    assert not re.search(r"\b(nan|inf|None)\b", page_text, re.IGNORECASE)


@pytest.mark.parametrize("part", ["folds", "models", "verdict", "lower_in", "origins", "notes"])
def test_a_part_of_the_walk_that_is_absent_breaks_nothing(root: Path, part: str) -> None:
    content = walked(root, DATA)
    (root / "outputs/models/model_a/folds/evaluation.json").write_text(json.dumps({**content, part: None}))
    assert page(root).open == []


@pytest.mark.parametrize("content", ["", "[]", '{"verdict": ', "\udcff", "[" * 100_000])
def test_a_damaged_file_is_named_and_hides_nothing_else(root: Path, content: str) -> None:
    (root / "outputs/models/model_a/evaluation.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    text = page(root).text
    assert "model_a/evaluation.json is damaged (" in text
    assert "kronosforge evaluate --config model_a --force" in text
    assert "Not evaluated yet" in text
    assert "Training" in text


def test_a_damaged_walk_is_named_with_the_command_that_keeps_its_trainings(root: Path) -> None:
    content = walked(root, DATA)
    folder = root / "outputs/models/model_a/folds"
    for number in "123":
        (folder / number).mkdir()
    (folder / "evaluation.json").write_text(json.dumps({**content, "folds": "three"}))
    text = page(root).text
    assert "folds/evaluation.json is damaged (folds: Input should be a valid list)" in text
    assert "kronosforge evaluate --config model_a --folds 3" in text


@pytest.mark.parametrize("part", ["verdict", "origins", "models", "differences", "backtest", "examples", "notes"])
def test_a_part_of_another_type_is_damage(root: Path, part: str) -> None:
    path = root / "outputs/models/model_a/evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {part: 3}))
    assert f"model_a/evaluation.json is damaged ({part}: Input should be" in page(root).text
    write_fleet_page(root)


@pytest.mark.parametrize("name", ["evaluation.json", "folds/evaluation.json"])
def test_a_folder_in_the_place_of_an_evaluation_is_damage(root: Path, name: str) -> None:
    path = root / "outputs/models/model_a" / name
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)
    assert "evaluation.json is damaged (Is a directory)" in page(root).text


def test_an_evaluation_of_this_version_that_lacks_a_part_is_damage(root: Path) -> None:
    path = root / "outputs/models/model_a/evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": LAYOUT}))
    assert re.search(r"model_a/evaluation\.json is damaged \(\S+: Field required\)", page(root).text)
