"""Frames in, paths out: the reference vectors, independence of what stands beside, and what is refused."""

import copy
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from kronosforge.core.errors import ConfigError, DataError, ModelError, UsageError
from kronosforge.forecast import Forecaster
from kronosforge.forecast import forecaster as module
from kronosforge.forecast.frames import read
from kronosforge.forecast.repair import Violations, repair, violations
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.model.devices import available, choose

FEATURES = ["open", "high", "low", "close", "volume", "amount"]


@pytest.mark.parametrize(("context_bars", "context"), [(40, 48), (60, 64), (90, 48)])
def test_greedy_forecasts_are_upstreams(
    reference: Path, candles: pd.DataFrame, vectors: dict[str, Tensor], context_bars: int, context: int
) -> None:
    """Within the context, filling it, and sliding from the start."""
    forecaster = Forecaster.from_pretrained(
        reference / "tokenizer_tiny", reference / "predictor_tiny", max_context=context
    )
    sampled = forecaster.forecast({"A": candles[:context_bars]}, 16, 2, top_k=1, raw=True)["A"]
    expected = vectors[f"forecast.greedy.lookback{context_bars}.max_context{context}"].double().numpy()
    spread = candles[FEATURES][:context_bars].std(ddof=0).to_numpy()
    assert np.abs((sampled.paths - expected) / spread).max() < 1e-5
    assert list(sampled.index) == list(candles.timestamps[context_bars : context_bars + 16])


@pytest.fixture(scope="module")
def frames(candles: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Series of several lengths, some longer than the context."""
    lengths = {"A": 30, "B": 45, "C": 30, "D": 80, "E": 45}
    return {key: candles[start : start + length] for start, (key, length) in enumerate(lengths.items())}


def test_a_path_is_the_same_whatever_the_batch(
    forecaster: Forecaster, frames: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = forecaster.forecast(frames, 12, 6)
    assert list(together) == list(frames)
    turned = forecaster.forecast(dict(reversed(frames.items())), 12, 6)
    repeated = forecaster.forecast({"C": frames["C"]}, 12, 9)
    longer = forecaster.forecast({"C": frames["C"]}, 20, 6)
    monkeypatch.setattr(module, "MEMORY", forecaster.engine.memory(40, 12, 2))  # one series and 1 or 2 paths at a time
    assert len(list(forecaster._batches([*map(_job, frames.items())], 6))) == 24
    little = forecaster.forecast(frames, 12, 6)
    for key, sampled in together.items():
        same(sampled.paths, turned[key].paths)
        same(sampled.paths, little[key].paths)
    same(together["C"].paths, repeated["C"].paths[:6])
    same(together["C"].paths, longer["C"].paths[:, :12])


def _job(item: tuple[str, pd.DataFrame]) -> module.Job:
    key, frame = item
    return module.Job(key, read(key, frame, 12, None, None, "24/7").bars, range(6))


def same(left: np.ndarray, other: np.ndarray) -> None:
    """Equal ids give equal bars up to rounding; one other id gives quite another bar."""
    np.testing.assert_allclose(left, other, rtol=1e-4)


def test_a_path_is_the_same_alone_and_among_many_at_the_width_of_a_published_model(candles: pd.DataFrame) -> None:
    """Up to rounding: products of one row and of many sum in another order."""
    torch.manual_seed(0)
    small = PRESETS["small"]
    predictor = KronosPredictor(replace(small.predictor, n_layers=2))
    forecaster = Forecaster(KronosTokenizer(small.tokenizer), predictor, max_context=64)
    frames = {str(n): candles[n : n + 40] for n in range(4)}
    many = forecaster.forecast(frames, 12, 34)  # in seventeen groups
    for key, samples in (("0", 1), ("1", 2), ("2", 16), ("3", 34)):
        same(forecaster.forecast({key: frames[key]}, 12, samples)[key].paths, many[key].paths[:samples])


def test_paths_differ_and_so_do_seeds_and_keys(forecaster: Forecaster, frames: dict[str, pd.DataFrame]) -> None:
    first = forecaster.forecast(frames, 12, 6)["A"].paths
    assert len(np.unique(first[:, -1, 3])) == 6
    for other in (
        forecaster.forecast(frames, 12, 6, seed=1)["A"],
        forecaster.forecast({"Z": frames["A"]}, 12, 6)["Z"],
    ):
        assert not np.isclose(first, other.paths).all(axis=(1, 2)).any()
    same(first, forecaster.forecast(frames, 12, 6)["A"].paths)


def test_bars_to_come_do_not_move_a_forecast(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    moved = candles.copy()
    moved.loc[40:, FEATURES] *= 1.5
    before = forecaster.forecast({"A": candles[:40]}, 12, 4)["A"]
    after = forecaster.forecast({"A": moved[:40]}, 12, 4)["A"]
    assert np.array_equal(before.paths, after.paths)
    recent = candles[:40].copy()
    recent.loc[39, "volume"] *= 1.5
    assert not np.allclose(before.paths, forecaster.forecast({"A": recent}, 12, 4)["A"].paths, rtol=1e-4)


def test_the_calendar_of_the_bars_to_come_matters(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    context_bars = candles[:40]
    regular = forecaster.forecast({"A": context_bars}, 12, 4)["A"]
    given = pd.DatetimeIndex(candles.timestamps[40:52])
    same(regular.paths, forecaster.forecast({"A": context_bars}, 12, 4, future=given)["A"].paths)
    later = {"A": given + pd.Timedelta("63h")}
    sampled = forecaster.forecast({"A": context_bars}, 12, 4, future=later)["A"]
    assert list(sampled.index) == list(later["A"])
    assert not np.allclose(regular.paths, sampled.paths, rtol=1e-4)


def test_only_the_lookback_is_known(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    short = forecaster.forecast({"A": candles[20:50]}, 8, 4)["A"]
    same(short.paths, forecaster.forecast({"A": candles[:50]}, 8, 4, lookback=30)["A"].paths)


def test_what_can_be_read_from_a_forecast(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    sampled = forecaster.forecast({"A": candles[:40]}, 12, 5)["A"]
    quantiles = sampled.quantiles([0.0, 0.5, 1.0])
    closes = sampled.feature("close")
    assert closes.shape == (5, 12)
    assert np.array_equal(sampled.feature("vol"), sampled.feature("volume"))
    assert np.array_equal(quantiles["close"][0.5], np.median(closes, axis=0))
    assert np.array_equal(quantiles["volume"][1.0], sampled.paths[:, :, 4].max(axis=0))
    assert list(sampled.mean().columns) == FEATURES
    assert np.array_equal(sampled.mean()["close"], closes.mean(axis=0))
    assert np.array_equal(sampled.frame().loc[3, "close"], closes[3])


def test_raw_paths_are_counted_and_repaired(forecaster: Forecaster, frames: dict[str, pd.DataFrame]) -> None:
    raw, mended = (forecaster.forecast(frames, 12, 6, raw=raw)["B"] for raw in (True, False))
    assert raw.violations == mended.violations == violations(raw.paths)
    assert raw.violations.broken > 0
    assert raw.violations.bars == 72
    assert violations(mended.paths) == Violations(0, 0, 0, 0, 0, 72)
    assert np.array_equal(mended.paths, repair(raw.paths))
    assert np.array_equal(mended.paths[..., [0, 3]], raw.paths[..., [0, 3]])


def test_repair_by_example() -> None:
    bars = np.array(
        [
            [10.0, 12, 9, 11, 5, 50],  # valid
            [10, 9, 8, 11, 5, 50],  # high below open and close
            [10, 12, 10.5, 11, -1, -2],  # low above open; volume and turnover negative
            [10, 8, 13, 11, 5, -0.5],  # high and low the wrong way round
        ]
    )
    assert violations(bars) == Violations(high=2, low=2, vol=1, amt=2, broken=3, bars=4)
    assert repair(bars).tolist() == [
        [10, 12, 9, 11, 5, 50],
        [10, 11, 8, 11, 5, 50],
        [10, 12, 10, 11, 0, 0],
        [10, 11, 10, 11, 5, 0],
    ]


def test_requests_that_cannot_be_carried_out_are_refused(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    frames = {"A": candles[:40]}
    for horizon in (0, 64, 500):
        with pytest.raises(UsageError, match="from 1 to 63"):
            forecaster.forecast(frames, horizon)
    with pytest.raises(DataError, match="40 bars, and 60 are needed"):
        forecaster.forecast(frames, 4, lookback=60)
    for lookback in (-5, 0, 1):
        with pytest.raises(UsageError, match=f"lookback is {lookback}; it must be a whole number from 2 to"):
            forecaster.forecast(frames, 4, lookback=lookback)


def test_the_context_is_that_of_the_published_shape(tokenizer: KronosTokenizer, predictor: KronosPredictor) -> None:
    mini = PRESETS["mini"]
    assert Forecaster(KronosTokenizer(mini.tokenizer), KronosPredictor(mini.predictor)).max_context == 2048
    assert Forecaster(tokenizer, predictor).max_context == 512


@pytest.mark.parametrize("device", ["gpu", "cuda", "mps"])
def test_a_device_is_chosen_as_everywhere(reference: Path, device: str) -> None:
    names = [reference / "tokenizer_tiny", reference / "predictor_tiny"]
    networks = KronosTokenizer.from_pretrained(names[0]), KronosPredictor.from_pretrained(names[1])
    assert Forecaster(*networks).device == torch.device("cpu")
    assert Forecaster.from_pretrained(*names, device="auto").device == choose("auto", float64=True)
    if device not in available():
        with pytest.raises(UsageError, match=f"Unknown device '{device}'|is not available on this machine"):
            Forecaster.from_pretrained(*names, device=device)
        with pytest.raises(UsageError, match=f"Unknown device '{device}'|is not available on this machine"):
            Forecaster(*networks, device=device)


def test_sampling_asked_of_mps_runs_on_the_cpu(
    tokenizer: KronosTokenizer, predictor: KronosPredictor, candles: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mps has no float64; the log says so (tests/model/test_devices.py)."""
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    forecaster = Forecaster(tokenizer, predictor, device="mps")
    assert forecaster.device == next(predictor.parameters()).device == torch.device("cpu")
    assert forecaster.forecast(candles[:40], 2, 2).paths.shape == (2, 2, 6)


def test_a_tuned_model_is_loaded_from_its_folder(
    tokenizer: KronosTokenizer, predictor: KronosPredictor, candles: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "model_a_4h"
    with pytest.raises(ModelError, match=r"predictor.best_model does not exist; train the model first"):
        Forecaster.from_tuned(folder)
    predictor.save_pretrained(folder / "predictor" / "best_model")
    with pytest.raises(ModelError, match=r"tokenizer.best_model does not exist"):
        Forecaster.from_tuned(folder)
    tokenizer.save_pretrained(folder / "tokenizer" / "best_model")
    tuned = Forecaster.from_tuned(folder, device="cpu")
    expected = Forecaster(tokenizer, predictor).forecast(candles[:40], 4, 2)
    assert np.array_equal(tuned.forecast(candles[:40], 4, 2).paths, expected.paths)


ARRAYS = """
import sys
import numpy as np
from kronosforge.forecast import Forecaster
from kronosforge.forecast.history import History
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer

forecaster = Forecaster(KronosTokenizer(PRESETS["tiny"].tokenizer), KronosPredictor(PRESETS["tiny"].predictor))
times = np.arange(24) * 3_600_000
forecasts = forecaster.sample({"A": History(times[:20], np.full((20, 6), 7.0), times[20:])}, 2)
print(forecasts["A"].paths.shape, forecasts["A"].quantile("close").shape, "pandas" in sys.modules)
"""


def test_arrays_are_forecast_without_pandas() -> None:
    done = subprocess.run([sys.executable, "-c", ARRAYS], capture_output=True, text=True, check=True)
    assert done.stdout == "(2, 4, 6) (5, 4) False\n"


def test_arrays_and_frames_give_the_same_paths(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    bars = read("A", candles[:40], 12, None, None, "24/7").bars
    arrays, frames = forecaster.sample({"A": bars}, 4)["A"], forecaster.forecast({"A": candles[:40]}, 12, 4)["A"]
    assert np.array_equal(arrays.paths, frames.paths)
    assert (arrays.origin, arrays.times.tolist()) == (frames.origin, frames.times.tolist())
    assert arrays.index.equals(frames.index.tz_localize("UTC"))


def test_a_name_that_is_no_model_says_what_is_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="nope is neither a folder nor a trained model of this workspace"):
        Forecaster.from_tuned("nope")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"horizon": 2.5}, "horizon is 2.5; it must be a whole number"),
        ({"horizon": None}, "horizon is None"),
        ({"samples": "2"}, "samples is '2'"),
        ({"samples": True}, "samples is True"),
        ({"lookback": 2.5}, "lookback is 2.5"),
        ({"seed": "1"}, "seed is '1'"),
        ({"top_k": 1.0}, "top_k is 1.0"),
        ({"temperature": "1"}, "temperature is '1'; it must be a number above 1e-06 and at most 1e+06"),
        ({"top_p": float("nan")}, "top_p is nan"),
        ({"samples": 0}, "samples is 0; it must be a whole number from 1 to 100000"),
        ({"samples": 2**64}, "samples is 18446744073709551616"),
        ({"seed": 10**5000}, "seed is <int>"),
        ({"temperature": 1e-320}, "temperature is 1e-320"),
        ({"temperature": 10**400}, "temperature is 1000"),
        ({"top_p": 10**400}, "top_p is 1000"),
        ({"sliding": "roughly"}, "sliding is 'roughly'; it must be 'exact' or 'approximate'"),
        ({"sliding": np.array([1, 2])}, "sliding is array([1, 2])"),
        ({"sliding": pd.NA}, "sliding is <NA>"),
        ({"raw": "no"}, "raw is 'no'; it must be True or False"),
        ({"raw": pd.NA}, "raw is <NA>"),
        ({"calendar": ["XSHG"]}, "calendar is ['XSHG']; it must be '24/7', or a name of exchange_calendars"),
        ({"calendar": None}, "calendar is None"),
        ({"lookback": pd.DataFrame({"a": [1]})}, "lookback is a 0 1"),
        ({"horizon": "x" * 5000}, "horizon is 'xxxx"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_arguments_that_cannot_be_used_are_refused_by_name(
    forecaster: Forecaster, candles: pd.DataFrame, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as refused:
        forecaster.forecast(candles, **{"horizon": 3, **arguments})
    assert len(str(refused.value)) < 250
    assert str(refused.value).isprintable()


def test_fractions_and_numpy_s_numbers_are_numbers(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    half = forecaster.forecast(candles[:40], 3, 2, temperature=0.5, top_p=0.5).paths
    for value in (Fraction(1, 2), np.float32(0.5)):
        assert np.array_equal(forecaster.forecast(candles[:40], 3, 2, temperature=value, top_p=value).paths, half)


@pytest.mark.parametrize("calendar", ["NOWHERE", ""])
def test_an_unknown_calendar_is_refused_where_the_times_are_given_too(
    forecaster: Forecaster, candles: pd.DataFrame, calendar: str
) -> None:
    with pytest.raises(ConfigError, match="unknown calendar"):
        forecaster.forecast(candles[:40], 4, future=candles.timestamps[40:44], calendar=calendar)


def test_paths_that_are_not_finite_are_refused(
    tokenizer: KronosTokenizer, predictor: KronosPredictor, candles: pd.DataFrame
) -> None:
    damaged = copy.deepcopy(tokenizer)
    with torch.no_grad():
        for parameter in damaged.parameters():
            parameter.mul_(1e30)
    with pytest.raises(ModelError, match="A: the model's paths hold values that are not finite"):
        Forecaster(damaged, predictor, max_context=64).forecast({"A": candles[:40]}, 4, 2)


@pytest.mark.parametrize("name", ["colse", None, 5, ["close"], np.array([1, 2])])
def test_a_feature_of_another_name_is_refused(forecaster: Forecaster, candles: pd.DataFrame, name: object) -> None:
    forecast = forecaster.forecast(candles[:40], 4, 2)
    with pytest.raises(
        UsageError, match=r"There is no feature .*; choose one of open, high, low, close, volume, amount"
    ):
        forecast.quantile(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("levels", [[-0.1], [0.5, 2], ["a"], "0.5", [None], [float("nan")], 0.5, None, [True], [[0.1]]])
def test_levels_that_are_no_shares_are_refused(
    forecaster: Forecaster, candles: pd.DataFrame, levels: Sequence[float]
) -> None:
    forecast = forecaster.forecast(candles[:40], 4, 2)
    for quantiles in (forecast.quantiles, partial(forecast.quantile, "close")):
        with pytest.raises(UsageError, match=r"levels is .*; it must be a list of numbers from 0 to 1"):
            quantiles(levels)


def test_levels_may_be_an_array_or_a_series(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    forecast = forecaster.forecast(candles[:40], 4, 2)
    for levels in (np.array([0.1, 0.9]), pd.Series([0.1, 0.9]), (level for level in (0.1, 0.9))):
        assert np.array_equal(forecast.quantile("close", levels), forecast.quantile("close", [0.1, 0.9]))


@pytest.mark.parametrize(
    "arguments",
    [
        {"clip": 0},
        {"clip": float("nan")},
        {"clip": "x"},
        {"clip": 10**400},
        {"max_context": -5},
        {"max_context": "x"},
        {"max_context": 10**9},
        {"tokenizer": None},
        {"tokenizer": "NeoQuasar/Kronos-Tokenizer-base"},
        {"predictor": pd.DataFrame()},
    ],
)
def test_a_forecaster_refuses_arguments_that_no_network_has(
    tokenizer: KronosTokenizer, predictor: KronosPredictor, arguments: dict[str, object]
) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(arguments))} is "):
        Forecaster(**{"tokenizer": tokenizer, "predictor": predictor, **arguments})


def test_networks_that_are_mixed_up_are_refused(tokenizer: KronosTokenizer, predictor: KronosPredictor) -> None:
    with pytest.raises(UsageError, match=r"tokenizer is .*; it must be a KronosTokenizer, such as"):
        Forecaster(predictor, tokenizer)  # type: ignore[arg-type]


def test_a_device_number_is_not_taken_for_no_device(tokenizer: KronosTokenizer, predictor: KronosPredictor) -> None:
    with pytest.raises(UsageError, match="Unknown device '0'"):
        Forecaster(tokenizer, predictor, device=0)  # type: ignore[arg-type]


def test_numpy_s_whole_numbers_are_whole_numbers(forecaster: Forecaster, candles: pd.DataFrame) -> None:
    forecast = forecaster.forecast(candles, np.int64(2), np.int32(1), seed=np.int64(3), lookback=np.int16(16))
    assert forecast.paths.shape == (1, 2, 6)


@pytest.mark.parametrize(("column", "value"), [("volume", 1e308), ("amount", 1e155), ("volume", 1e200)])
def test_values_that_cannot_be_scaled_are_refused(
    forecaster: Forecaster, candles: pd.DataFrame, column: str, value: float
) -> None:
    name = next(name for name in (column, column[:3], "vol" if column == "volume" else "amt") if name in candles)
    huge = candles.copy()
    huge.iloc[3, huge.columns.get_loc(name)] = value
    with pytest.raises(DataError, match=r"at 2024-01-01T12:00Z; values above 1e\+30 cannot be scaled"):
        forecaster.forecast(huge, 2)
