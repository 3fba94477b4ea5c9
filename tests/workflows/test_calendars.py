"""Stocks, alone and beside coins: what prepare and its dry run make of a calendar, and say without one."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from kronosforge.config import CleanConfig, DatasetConfig, ModelConfig, SourceConfig, SplitConfig
from kronosforge.core.errors import DataError
from kronosforge.dataset.verify import verify
from kronosforge.sandbox import running
from kronosforge.workflows.plan import plan
from kronosforge.workflows.prepare import PreparedDataset, prepare
from kronosforge.workflows.recent import recent
from kronosforge.workspace.paths import dataset_folders

STOCK, FIVE, COIN = "600519.SH_1D", "600977.SH_5m", "BTC-USDT-SWAP_1D"
XSHG = r"600519\.SH_1D has session gaps \(nights, weekends or lunch breaks\); calendar XSHG fits 100 % of the bars"


@pytest.fixture(scope="module")
def files(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    data = shared / "data"
    shutil.copy(data / "ashare" / "600519_1d.csv", folder / f"{STOCK}.csv")
    shutil.copy(data / "ashare" / "600977_5min.csv", folder / f"{FIVE}.csv")
    shutil.copy(data / "okx" / "BTC-USDT-SWAP_1Dutc.csv", folder / f"{COIN}.csv")
    return folder


def model(files: Path, *keys: str, calendar: str | dict[str, str] = "24/7", **values: Any) -> ModelConfig:
    shanghai = {"label": "close", "timezone": "Asia/Shanghai"} if FIVE in keys else {}
    defaults = {
        "name": "m",
        "model_name": "M",
        "target_symbols": list(keys),
        "records_per_timeframe": 800,
        "source": SourceConfig(name=f"files:{files}", **shanghai),
        "clean": CleanConfig(calendar=calendar, volume_unit=100 if FIVE in keys else 1),
        "dataset": DatasetConfig(lookback=50, predict=9),
    }
    return ModelConfig(**defaults | values)


def make(root: Path, config: ModelConfig) -> PreparedDataset:
    return prepare(config, dataset_folders(config, root, copy=False), {})


def dry_run(root: Path, config: ModelConfig) -> dict[str, Any]:
    return plan(config, dataset_folders(config, root, copy=False), {})


@pytest.mark.parametrize("run", [make, dry_run])
def test_a_stock_without_a_calendar_is_refused_with_the_one_that_it_fits(files: Path, tmp_path: Path, run: Any) -> None:
    with pytest.raises(DataError, match=XSHG) as error:
        run(tmp_path, model(files, STOCK))
    assert "--set clean.calendar=XSHG" in str(error.value)
    assert "records per series" not in str(error.value)


@pytest.mark.parametrize("run", [make, dry_run])
def test_five_minutes_of_a_stock_are_recognised_too(files: Path, tmp_path: Path, run: Any) -> None:
    with pytest.raises(DataError, match=r"600977\.SH_5m has session gaps.*calendar XSHG fits 100 %"):
        run(tmp_path, model(files, FIVE))


def test_the_advice_is_right(files: Path, tmp_path: Path) -> None:
    summary = make(tmp_path, model(files, STOCK, calendar="XSHG")).summary
    assert summary["series"][STOCK]["segments"] == 1
    assert summary["windows"] == {"train": 560 - 59, "val": 120 - 59, "test": 120 - 59}


def test_a_stock_beside_a_coin_is_a_warning_in_the_summary_and_in_the_dry_run(files: Path, tmp_path: Path) -> None:
    config = model(files, STOCK, COIN, split=SplitConfig(train=0.6, val=0.2), until="2026-04-01")
    config = config.model_copy(update={"target_symbols": [COIN, STOCK], "since": "2021-01-01"})
    warnings = make(tmp_path, config).summary["warnings"]
    assert [warning["en"] for warning in warnings if STOCK in warning["en"]] == [
        f"{STOCK} has session gaps (nights, weekends or lunch breaks); calendar XSHG fits 100 % of the bars; set "
        f'clean.calendar to \'XSHG\' (--set clean.calendar=XSHG), or to {{"{STOCK}": "XSHG"}} beside series of other markets'
    ]
    assert dry_run(tmp_path, config)["warnings"] == [warning["en"] for warning in warnings]


def test_each_series_of_a_mixed_dataset_has_its_own_calendar(files: Path, tmp_path: Path) -> None:
    config = model(files, STOCK, COIN, calendar={STOCK: "XSHG"}, records_per_timeframe=1000)
    done = make(tmp_path, config)
    assert {key: facts["segments"] for key, facts in done.summary["series"].items()} == {STOCK: 1, COIN: 1}
    assert done.summary["config"]["clean"]["calendar"] == {STOCK: "XSHG"}
    assert [check for check in verify(done.folder) if not check.ok] == []


def test_verify_allows_the_pauses_of_the_series_with_sessions_only(files: Path, tmp_path: Path) -> None:
    done = make(tmp_path, model(files, STOCK, COIN, calendar={STOCK: "XSHG"}, records_per_timeframe=1000))
    summary = json.loads((done.folder / "data_summary.json").read_text())
    summary["config"]["clean"]["calendar"] = {COIN: "XSHG"}
    (done.folder / "data_summary.json").write_text(json.dumps(summary))
    problems = "; ".join(check.detail for check in verify(done.folder) if not check.ok)
    assert f"{STOCK}: bars do not follow each other" in problems
    assert COIN not in problems


@pytest.mark.parametrize("calendar", ["XSHG", {STOCK: "XSHG"}])
def test_the_dry_run_of_files_counts_the_windows_that_prepare_makes(
    files: Path, tmp_path: Path, calendar: str | dict[str, str]
) -> None:
    config = model(files, STOCK, calendar=calendar)
    expected, summary = dry_run(tmp_path, config), make(tmp_path, config).summary
    assert expected["windows"] == summary["windows"]
    assert expected["series"][STOCK]["bars"] == expected["series"][STOCK]["held"] == 800
    assert expected["warnings"] == [warning["en"] for warning in summary["warnings"]]


def test_the_dry_run_of_an_exchange_counts_the_bars_that_the_calendar_has(tmp_path: Path) -> None:
    config = model(tmp_path, COIN, calendar="XNYS", since="2022-01-01", until="2024-01-01", source=SourceConfig())
    facts = dry_run(tmp_path, config)["series"][COIN]
    assert (facts["bars"], facts["held"]) == (501, 0)  # New York traded on 251 days of 2022 and 250 of 2023
    assert sum(facts["windows"].values()) == 501 - 3 * 59  # windows of 60 bars in three splits, across weekends


def test_the_bars_to_come_are_those_of_each_series_calendar(files: Path, tmp_path: Path) -> None:
    config = model(files, STOCK, COIN, calendar={STOCK: "XSHG"})
    bars = {str(series): newest for series, newest in recent(config, tmp_path, {}, bars=60, horizon=10).items()}
    day = 86_400_000
    steps = {key: set((newest.ahead[1:] - newest.ahead[:-1]) // day) for key, newest in bars.items()}
    assert steps[COIN] == {1}
    assert max(steps[STOCK]) > 1
    assert (bars[STOCK].ahead // day % 7 != 2).all()  # no Saturday: 1970-01-03 was one


def test_a_forecast_of_a_stock_without_a_calendar_names_it(files: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=XSHG):
        recent(model(files, STOCK), tmp_path, {}, bars=60, horizon=10)


LISTED = "BTC-USDT-SWAP_1D"  # in the sandbox since 2017-03-01: 3,228 days before the clock's


def test_more_records_than_the_exchange_has_are_a_warning(tmp_path: Path) -> None:
    with running(clock="2026-01-01T00:00:00Z", rate_limits=False) as server:
        config = model(
            tmp_path, LISTED, "ETH-USDT-SWAP_1W", records_per_timeframe=4000, source=SourceConfig(url=server.url)
        )
        done = make(tmp_path, config)
    (warning,) = (w["en"] for w in done.summary["warnings"] if "less history" in w["en"])
    assert f"{LISTED} has 3228 of 4000 bars, the first at 2017-03-01T00:00Z" in warning
    assert "ETH-USDT-SWAP_1W has 449 of 4000 bars, the first at 2017-05-22T00:00Z" in warning
    assert done.summary["series"][LISTED]["rows"] == 3228


def test_the_dry_run_tells_it_as_soon_as_the_store_has_learned_it(tmp_path: Path) -> None:
    config = model(tmp_path, LISTED, records_per_timeframe=4000, source=SourceConfig(name="sandbox"))
    before = dry_run(tmp_path, config)
    done = make(tmp_path, config)
    after = dry_run(tmp_path, config)
    assert before["series"][LISTED]["bars"] == 4000
    assert after["series"][LISTED]["bars"] == after["series"][LISTED]["held"] == 3228
    assert after["windows"] == done.summary["windows"]
    assert after["warnings"] == [warning["en"] for warning in done.summary["warnings"]]


def test_more_records_than_a_file_has_are_a_warning_in_both_languages(files: Path, tmp_path: Path) -> None:
    summary = make(tmp_path, model(files, COIN, records_per_timeframe=2000)).summary
    (warning,) = (w for w in summary["warnings"] if "less history" in w["en"])
    assert warning["en"].endswith(f"{COIN} has 842 of 2000 bars, the first at 2023-12-28T00:00Z")
    assert f"{COIN} 只有 842 根（请求 2000 根）" in warning["zh"]


def test_records_that_are_there_warn_of_nothing(files: Path, tmp_path: Path) -> None:
    summary = make(tmp_path, model(files, COIN, records_per_timeframe=842)).summary
    assert not [w for w in summary["warnings"] if "less history" in w["en"]]


def test_seconds_of_a_plan_have_one_decimal(tmp_path: Path) -> None:
    config = model(tmp_path, "BTC-USDT-SWAP_1m", "ETH-USDT-SWAP_1m", records_per_timeframe=7777, source=SourceConfig())
    facts = dry_run(tmp_path, config)
    seconds = [facts["seconds"], *(series_facts["seconds"] for series_facts in facts["series"].values())]
    assert seconds == [round(value, 1) for value in seconds]
    assert min(seconds) > 0
