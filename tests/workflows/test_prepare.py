"""The whole way: candles over HTTP in, dataset out; and what must hold when something is in the way."""

import csv
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kronosforge.config import DatasetConfig, ModelConfig, SourceConfig
from kronosforge.core.errors import DataError, KronosForgeError, NoDataError, UsageError
from kronosforge.core.locks import reading
from kronosforge.dataset.unpickle import load
from kronosforge.dataset.verify import verify
from kronosforge.sandbox import running
from kronosforge.workflows.prepare import PreparedDataset, prepare
from kronosforge.workspace.paths import PICKLES, DatasetFolders, dataset_folders

SMALL = DatasetConfig(lookback=20, predict=5)


def model(url: str, *keys: str, **values: object) -> ModelConfig:
    source = SourceConfig(name="okx", url=url, retries=12, timeout_s=5)
    return ModelConfig(
        **{"name": "m", "model_name": "M", "target_symbols": list(keys), "source": source, "dataset": SMALL, **values}
    )


def where(root: Path, config: ModelConfig) -> DatasetFolders:
    return dataset_folders(config, root, copy=False)


def make(root: Path, config: ModelConfig, *, force: bool = False) -> PreparedDataset:
    return prepare(config, where(root, config), {}, force=force)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a dataset by name; of summary and report what does not name the exchange's address or the time."""
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    summary = json.loads(files["data_summary.json"])
    summary.pop("created_at")
    summary["files"] = [{**f, "modified": ""} for f in summary["files"] if f["filename"] != "report.html"]
    for volatile in ("url", "proxy"):
        summary["config"]["source"].pop(volatile)
    summary["source"].pop("venue")
    return {**files, "data_summary.json": json.dumps(summary).encode(), "report.html": b""}


@pytest.fixture(scope="module")
def replay(shared: Path) -> Iterator[str]:
    with running(replay=shared / "data" / "okx", rate_limits=False) as server:
        yield server.url


@pytest.mark.parametrize(
    ("key", "file"), [("BTC-USDT-SWAP_4H", "BTC-USDT-SWAP_4H"), ("BTC-USDT-SWAP_1D", "BTC-USDT-SWAP_1Dutc")]
)
def test_every_value_in_the_pickles_is_the_csv_s(
    shared: Path, replay: str, tmp_path: Path, key: str, file: str
) -> None:
    with (shared / "data" / "okx" / f"{file}.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    done = make(tmp_path, model(replay, key, records_per_timeframe=6000))
    frames = [load(done.folder / f"{split}_data.pkl")[key] for split in ("train", "val", "test")]
    columns = {"open": "open", "high": "high", "low": "low", "close": "close", "vol": "volCcy", "amt": "volCcyQuote"}
    for feature, upstream_name in columns.items():
        held = np.concatenate([frame[feature].to_numpy() for frame in frames])
        assert held.tolist() == [float(row[upstream_name]) for row in rows]
    held = np.concatenate([frame.index.to_numpy().astype("M8[ms]").astype(np.int64) for frame in frames])
    assert held.tolist() == [int(row["ts"]) for row in rows]


def test_the_unfinished_bar_that_stands_twice_is_left_out(shared: Path, replay: str, tmp_path: Path) -> None:
    done = make(
        tmp_path, model(replay, "BTC-USD-SWAP_4H", dataset=DatasetConfig(lookback=4, predict=2), since="2024-12-01")
    )
    facts = done.summary["series"]["BTC-USD-SWAP_4H"]
    assert facts["rows"] == 68
    assert facts["last"] == "2025-01-06T20:00Z"


def test_two_runs_are_equal_byte_for_byte_and_verify_agrees(tmp_path: Path) -> None:
    with running(clock="2026-01-01T00:00:00Z", rate_limits=False) as server:
        config = model(server.url, "BTC-USDT-SWAP_4H", "ETH-USDT-SWAP_1D", records_per_timeframe=400)
        first, second = make(tmp_path / "a", config), make(tmp_path / "b", config)
    assert content(first.folder) == content(second.folder)
    assert (first.folder / "report.html").read_bytes() == (second.folder / "report.html").read_bytes()
    assert all(check.ok for check in verify(first.folder))


@pytest.mark.parametrize("inside", [True, False], ids=["inside the workspace", "elsewhere"])
def test_the_report_leads_to_the_page_of_the_model(tmp_path: Path, inside: bool) -> None:
    root, sandbox = tmp_path / "workspace", SourceConfig(name="sandbox")
    place = {} if inside else {"dataset_path": str(tmp_path / "elsewhere")}
    made = make(root, model("", "BTC-USDT-SWAP_4H", source=sandbox, records_per_timeframe=200, **place))
    links = re.findall(r'<a href="([^#"]+)"', (made.folder / "report.html").read_text("utf-8"))
    pages = [(made.folder / link).resolve() for link in links]
    assert pages == list((root / "outputs" / "reports").glob("*/report.html")) * inside


def test_a_finished_dataset_is_kept_while_a_training_reads_it(tmp_path: Path) -> None:
    config = model("", "BTC-USDT-SWAP_4H", source=SourceConfig(name="sandbox"), records_per_timeframe=200)
    made = make(tmp_path, config)
    with ThreadPoolExecutor(1) as threads, reading(made.folder, "the dataset"):
        again = threads.submit(make, tmp_path, config).result(timeout=30)
    assert again.kept
    assert again.summary == made.summary


def test_a_model_with_too_few_bars_says_how_many_it_needs(tmp_path: Path) -> None:
    with running(clock="2026-01-01T00:00:00Z", rate_limits=False) as server:
        config = model(server.url, "BTC-USDT-SWAP_4H", records_per_timeframe=90)
        with pytest.raises(DataError, match=r"use about \d+ records"):
            make(tmp_path, config)
    assert not (tmp_path / "data" / "kronos_datasets" / "m").exists()


def test_an_unknown_instrument_is_named(tmp_path: Path) -> None:
    with running(rate_limits=False) as server, pytest.raises(NoDataError, match="NO-SUCH-SWAP"):
        make(tmp_path, model(server.url, "NO-SUCH-SWAP_4H"))


def test_the_env_file_of_the_workspace_counts_in_python_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Kronos" / "finetune").mkdir(parents=True)
    (tmp_path / "upstream" / "finetune").mkdir(parents=True)
    (tmp_path / ".env").write_text("KRONOS_HOME=upstream\n", "utf-8")
    monkeypatch.delenv("KRONOS_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    config = model("", "BTC-USDT-SWAP_1D", records_per_timeframe=300, source=SourceConfig(name="sandbox"))
    assert prepare(config).copy == tmp_path / "upstream" / "finetune" / "data"


def test_another_model_s_folder_is_refused_by_name_even_with_force(tmp_path: Path) -> None:
    with running(clock="2026-01-01T00:00:00Z", rate_limits=False) as server:
        config = model(server.url, "BTC-USDT-SWAP_4H", records_per_timeframe=300)
        folder = make(tmp_path, config).folder
        other = config.model_copy(update={"name": "n", "model_name": "N", "dataset_path": str(folder)})
        with pytest.raises(UsageError, match="the dataset of m, not of n"):
            make(tmp_path, other, force=True)


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    notes = tmp_path / "data" / "kronos_datasets" / "m" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine")
    with running(clock="2026-01-01T00:00:00Z", rate_limits=False) as server:
        make(tmp_path, model(server.url, "BTC-USDT-SWAP_4H", records_per_timeframe=300))
    assert notes.read_text() == "mine"


KINDS = ("429", "5xx", "reset", "truncate", "html", "slow", "duplicate", "missing", "skew", "all")
MIDDLE = "2026-01-01T02:00:00Z"  # of a 4H bar
SEEDS = [(kind, seed) for seed in range(50) for kind in (KINDS if seed < 3 else ("all",))]


@pytest.fixture(scope="module")
def faultless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    with running(clock=MIDDLE, rate_limits=False) as server:
        return content(make(tmp_path_factory.mktemp("faultless"), faulty_model(server.url)).folder)


def faulty_model(url: str) -> ModelConfig:
    source = SourceConfig(name="okx", url=url, retries=12, timeout_s=0.5)
    return model(url, "BTC-USDT-SWAP_4H", records_per_timeframe=1500, source=source)


def spec(kind: str, seed: int) -> str:
    """`kind` at 20 %. What is slow comes after the client has given up; a clock is 90 s ahead or behind."""
    chance = "" if kind == "skew" else f"{kind}=0.2,"
    delay = ",delay=0.7" if kind == "slow" else ""
    skew = f",skew={(-90, 90)[seed % 2]}" if kind in ("skew", "all") else ""
    return f"{chance}seed={seed}{delay}{skew}"


@pytest.mark.parametrize(("kind", "seed"), SEEDS, ids=str)
def test_faults_change_nothing_or_fail_clearly(
    kind: str, seed: int, faultless: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kronosforge.source.exchanges.transport.FIRST_PAUSE", 0.001)
    with running(clock=MIDDLE, rate_limits=False, faults=spec(kind, seed)) as server:
        config = faulty_model(server.url)
        try:
            folder = make(tmp_path, config).folder
        except KronosForgeError as error:
            assert kind == "all", f"one kind of fault alone must be survived: {error}"
            assert "\n" not in str(error)
            assert not where(tmp_path, config).dataset.exists()
        else:
            assert content(folder) == faultless


@pytest.mark.parametrize(("clock", "skew"), [("2026-01-01T03:59:00Z", 90), ("2026-01-01T04:00:30Z", -90)])
def test_a_clock_that_is_wrong_over_the_end_of_a_bar_lets_no_unfinished_bar_in(
    clock: str, skew: int, tmp_path: Path
) -> None:
    def bars(name: str, clock: str, faults: str) -> pd.DataFrame:
        with running(clock=clock, rate_limits=False, faults=faults) as server:
            folder = make(tmp_path / name, faulty_model(server.url)).folder
        return pd.concat([load(folder / file)["BTC-USDT-SWAP_4H"] for file in PICKLES])

    right, wrong = bars("right", MIDDLE, ""), bars("wrong", clock, f"skew={skew}")
    assert wrong.index[-1] == pd.Timestamp("2025-12-31T20:00")
    assert len(wrong) == len(right) - (skew > 0)
    pd.testing.assert_frame_equal(wrong, right[-len(wrong) :])
