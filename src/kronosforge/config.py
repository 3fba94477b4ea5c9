"""Every setting of a model, on one page: one config file builds one `ModelConfig`. Unknown keys are refused.

A value comes from the command line, else the environment, else the config file, else the default below;
`workspace.overrides` applies that order and remembers which one it was. `workspace.settings` reads this file's source for
the flags and their help, so types, defaults and docstrings are written here and nowhere else.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kronosforge.core.bars import LENGTHS, Series, bar, instant, instrument_id, series, until
from kronosforge.core.i18n import _
from kronosforge.core.suggestions import closest, did_you_mean

Share = Annotated[float, Field(gt=0, lt=1)]

ALWAYS_OPEN = "24/7"
FORMER_NAMES = {"clean.holes": "clean.gaps"}
"""Settings that were renamed: former key → key. Config files, `--set` and recorded manifests may still use the former."""


class Section(BaseModel):
    """Refuses unknown keys and late changes; each field's docstring is its help text."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class SourceConfig(Section):
    """Where candles come from."""

    name: str = "okx"
    """`okx`, `sandbox`, `binance`, `bybit` or `files:DIR`."""
    url: str | None = None
    """Another address of the exchange (EEA, US, a proxy, a sandbox); its candles are stored apart."""
    credentials_required: bool = False
    """True refuses to run without a full set of API credentials. Candles need none."""
    proxy: str | None = None
    """HTTP proxy, such as `http://127.0.0.1:7890`."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """Seconds to wait for one answer."""
    retries: Annotated[int, Field(ge=0, le=50)] = 8
    """How often one request is tried again, with growing pauses, before the command fails."""
    label: Literal["open", "close"] = "open"
    """`files` only: which end of the bar its time names."""
    timezone: str = "UTC"
    """`files` only: the zone of times that carry none, such as `Asia/Shanghai`."""


class CleanConfig(Section):
    """How candles are checked and repaired. Every repair is counted."""

    calendar: str | dict[str, str] = ALWAYS_OPEN
    """When bars are due: `24/7`, or a calendar of exchange_calendars such as `XSHG` or `XNYS`. A model of several markets
    gives one for each series key or instrument, `{"600519.SH_1D": "XSHG"}`; `"*"` stands for the rest, else `24/7`."""
    gaps: Literal["split", "fill", "fail"] = "split"
    """What to do at missing bars: `split` the series into segments, `fill` them flat with volume 0, or `fail`."""
    max_fill: Annotated[int, Field(ge=1, le=100)] = 3
    """With `fill`: the longest gap, in bars, that is filled; the series is split at longer ones."""
    max_gap: Annotated[float, Field(gt=0)] = 0.4
    """Largest |ln(open / previous close)| between neighbouring bars. At a larger jump (a share split, a relisting, a wrong
    unit) the series is split into segments. 0.4 is +49 % or −33 %."""
    max_flat_run: Annotated[int, Field(ge=2)] = 48
    """Largest number of consecutive bars without trade that are kept; more are dropped."""
    max_bad_share: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """Largest share of broken bars; a series with more is refused."""
    frozen: Literal["drop", "keep"] = "drop"
    """Bars that were saved before they closed: `drop` them, or `keep` them where a market really trades like that."""
    volume_unit: Annotated[float, Field(gt=0)] = 1.0
    """Coins or shares per unit of volume: 100 for Chinese lots, 0.01 for BTC-USDT-SWAP contracts."""

    @model_validator(mode="before")
    @classmethod
    def _accept_holes(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "holes" not in values:
            return values
        others = {name: value for name, value in values.items() if name != "holes"}
        holes, gaps = values["holes"], values.get("gaps", values["holes"])
        if holes != gaps:
            raise ValueError(
                _(
                    "found gaps {gaps!r} and holes {holes!r}; holes is the former name of gaps, give gaps only",
                    gaps=gaps,
                    holes=holes,
                )
            )
        return {**others, "gaps": gaps}

    def calendar_of(self, series: Series) -> str:
        """The calendar of one series: by its key, else by its instrument, else that of `*`, else `24/7`."""
        if isinstance(self.calendar, str):
            return self.calendar
        keys = (str(series), series.instrument, "*")
        return next((self.calendar[key] for key in keys if key in self.calendar), ALWAYS_OPEN)


class SplitConfig(Section):
    """Chronological split: the cut instants are the same for every series of the model."""

    train: Share = 0.70
    """Share of bars before the first cut."""
    val: Share = 0.15
    """Share of bars between the cuts; the rest is the test split."""
    min_windows: Annotated[int, Field(ge=1)] = 1
    """Fewer windows than this in a split is an error."""
    thin_windows: Annotated[int, Field(ge=1)] = 100
    """Fewer windows than this in a split is a warning."""

    @model_validator(mode="after")
    def _leaves_a_test(self) -> "SplitConfig":
        if self.train + self.val >= 1:
            raise ValueError(f"train + val is {self.train + self.val:g}; it must leave a share for the test split")
        return self


class DatasetConfig(Section):
    """The windows that the model is trained on: lookback + predict + 1 consecutive bars."""

    lookback: Annotated[int, Field(ge=2, le=2048)] = 90
    """Bars that the model sees; normalisation uses these only."""
    predict: Annotated[int, Field(ge=1, le=2048)] = 10
    """Bars that are forecast."""
    clip: Annotated[float, Field(gt=0)] = 5.0
    """Normalised values are clipped to ± this."""

    @property
    def window(self) -> int:
        """Bars in one training window."""
        return self.lookback + self.predict + 1


class TrainConfig(Section):
    """How tokenizer and predictor are trained. Where one number stands for both, both use it."""

    init: Literal["pretrained", "scratch"] = "pretrained"
    """Start from published weights (`pretrained`), or from random ones (`scratch`)."""
    size: Literal["tiny", "mini", "small", "base"] = "small"
    """Size of the model that `scratch` builds; `tiny` is for tests and demos."""
    tokenizer: str = "NeoQuasar/Kronos-Tokenizer-base"
    """The pretrained tokenizer: a folder or a hub id."""
    tokenizer_revision: str | None = None
    """Branch, tag or commit on the hub."""
    predictor: str = "NeoQuasar/Kronos-small"
    """The pretrained predictor: a folder or a hub id."""
    predictor_revision: str | None = None
    """Branch, tag or commit on the hub."""
    freeze_tokenizer: bool = False
    """Keep the tokenizer as it is and only measure it, instead of training it."""
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Maximum number of passes over the training windows; `patience` may end training earlier."""
    patience: Annotated[int, Field(ge=1)] = 3
    """Epochs without a better validation score after which training ends."""
    windows_per_epoch: Annotated[int, Field(ge=1)] | None = None
    """Windows per epoch, drawn again for each epoch; by default all of them, once each."""
    mix: Literal["bars", "series"] | dict[str, float] = "bars"
    """Share of each series: by its `bars`, the same for each `series`, or a weight for each series key."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 50
    """Windows per step and process."""
    accumulate: Annotated[int, Field(ge=1, le=4096)] = 1
    """Batches whose gradients are added before a step; the effective batch is batch_size × accumulate × processes."""
    tokenizer_lr: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate; by default 2e-4 (as upstream), or 1e-3 from scratch."""
    predictor_lr: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate; by default 1e-5 (advised by upstream's maintainer, issue 177), or 1e-3 from scratch."""
    schedule: Literal["onecycle", "cosine"] = "onecycle"
    """`onecycle` warms up from a tenth of the peak and falls to nothing; `cosine` warms up from 0 and falls to a tenth."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.03
    """Share of all steps in which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    """AdamW's."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's."""
    tokenizer_clip: Annotated[float, Field(gt=0)] = 2.0
    """Largest norm of the tokenizer's gradient; a longer one is shortened to it."""
    predictor_clip: Annotated[float, Field(gt=0)] = 3.0
    """Largest norm of the predictor's gradient."""
    lora: Annotated[int, Field(ge=0, le=512)] = 0
    """Rank of a low-rank update of the predictor's attention and feed-forward weights, instead of training all; 0 is off."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 100
    """Random seed of the initial weights, the order of windows and dropout."""
    device: str = "auto"
    """`auto` (cuda, else mps, else cpu), `cpu`, `mps`, `cuda` or `cuda:N`."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """`auto`: bf16 autocast on a GPU that has it, float32 elsewhere. `bf16` is fast on CPUs with AMX, too."""
    compile: bool = False
    """True runs the network through torch.compile; needs a C++ compiler on CPU."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Processes that read ahead; 0 is fastest unless the disk is slow."""
    save_every_s: Annotated[float, Field(gt=0)] = 120.0
    """Seconds between saves of the state that --resume goes on from; each epoch is saved in any case."""

    @model_validator(mode="after")
    def _betas_are_shares(self) -> "TrainConfig":
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are {self.betas}; each must be at least 0 and below 1")
        return self


class SamplingConfig(Section):
    """How paths are drawn, where the model is used and where it is judged."""

    samples: Annotated[int, Field(ge=1, le=100_000)] = 32
    """Paths per forecast."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Divides the logits; 1 samples from the distribution that the model learned."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Sample from the smallest set of tokens with this much probability; upstream's 0.9 cuts off the tails and makes the
    forecast narrower than the distribution that the model learned."""
    top_k: Annotated[int, Field(ge=0)] = 0
    """Sample from the k most likely tokens; 0 keeps all, and 1 is greedy, so that all paths are the same."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Random seed of the paths, each of which has its own stream by series, origin and number. An evaluation uses it for
    random walks and resamples, too."""


class ForecastConfig(SamplingConfig):
    """Forecast sampling and output."""

    quantiles: list[Share] = [0.05, 0.25, 0.5, 0.75, 0.95]
    """Quantile levels of the tables and the charts."""


class EvaluateConfig(SamplingConfig):
    """How models are judged on the test split."""

    stride: Annotated[int, Field(ge=1)] = 1
    """Bars between one forecast and the next; 1 forecasts from every valid origin."""
    replicates: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Resamples behind an interval."""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Of the intervals."""
    block: Annotated[int, Field(ge=1)] | None = None
    """Instants per block of the bootstrap; by default three horizons, and never less than one."""
    fee_bps: Annotated[float, Field(ge=0)] = 5.0
    """Backtest: fee per unit traded, in hundredths of a per cent; OKX's lowest level pays 5 for taking a swap."""
    slippage_bps: Annotated[float, Field(ge=0)] = 2.0
    """Backtest: slippage, the difference between the close and the price obtained, in hundredths of a per cent."""


class ModelConfig(Section):
    """One model: its name, the candles it is tuned on, and a section for each stage."""

    name: str = ""
    """The command line's name for it; always the file's, lowered, without `config_`."""
    model_name: Annotated[str, Field(min_length=1)]
    """The name in reports, such as `Model_A_4H`."""
    description: str = ""
    """One line for `--list-configs`."""
    timeframe: str = "4H"
    """Bar of the entries of `target_symbols` that do not name one."""
    target_symbols: Annotated[list[str], Field(min_length=1)]
    """Series keys such as `BTC-USDT-SWAP_4H`."""
    records_per_timeframe: Annotated[int, Field(ge=1, le=50_000_000)] = 2000
    """Number of newest bars of each series to use, unless `since` is given."""
    since: str | None = None
    """Start time, such as `2025-01-31` or `2025-01-31T16:00+08:00`, instead of the newest N bars."""
    until: str | None = None
    """End time, exclusive, such as `2025-01-31T16:00Z`; without it, or with `now`, the newest finished bar."""
    dataset_path: str = Field(default_factory=lambda given: f"data/kronos_datasets/{given.get('name', '')}")
    """Folder of the dataset; by default `data/kronos_datasets/<name>`."""
    source: SourceConfig = SourceConfig()
    clean: CleanConfig = CleanConfig()
    split: SplitConfig = SplitConfig()
    dataset: DatasetConfig = DatasetConfig()
    train: TrainConfig = TrainConfig()
    forecast: ForecastConfig = ForecastConfig()
    evaluate: EvaluateConfig = EvaluateConfig()

    @field_validator("timeframe")
    @classmethod
    def _known_bar(cls, code: str) -> str:
        return bar(code).code

    @field_validator("target_symbols")
    @classmethod
    def _known_series(cls, keys: list[str]) -> list[str]:
        for key in keys:
            instrument_id(_instrument(key))
        if len(set(keys)) < len(keys):
            raise ValueError(f"a series stands twice in {keys}")
        return keys

    @field_validator("since")
    @classmethod
    def _valid_start(cls, text: str | None) -> str | None:
        if text is not None:
            instant(text)
        return text

    @field_validator("until")
    @classmethod
    def _valid_end(cls, text: str | None) -> str | None:
        return text and until(text)

    @model_validator(mode="after")
    def _time_runs_forward(self) -> "ModelConfig":
        if self.since and self.until and instant(self.since) >= instant(self.until):
            raise ValueError(f"since {self.since} is not before until {self.until}")
        return self

    @model_validator(mode="after")
    def _calendars_are_of_its_series(self) -> "ModelConfig":
        calendar = self.clean.calendar
        if isinstance(calendar, dict):
            keys = [*map(str, self.series), *self.instruments, "*"]
            for key in calendar:
                if key not in keys:
                    raise ValueError(_unknown_calendar_key(key, keys))
        return self

    @property
    def instruments(self) -> list[str]:
        """The instruments, each once, in the order of `target_symbols`."""
        return list(dict.fromkeys(_instrument(key) for key in self.target_symbols))

    @property
    def series(self) -> list[Series]:
        """What is prepared: each entry of `target_symbols`, at its own bar or at `timeframe`."""
        return [series(key if _names_a_bar(key) else f"{key}_{self.timeframe}") for key in self.target_symbols]

    @property
    def timeframes(self) -> list[str]:
        """The bar codes of `series`, each once."""
        return list(dict.fromkeys(s.bar.code for s in self.series))

    def get_model_info(self) -> dict[str, Any]:
        """What a user asks first: names, bars, series, window, dataset folder."""
        return {
            "name": self.name,
            "model_name": self.model_name,
            "description": self.description,
            "timeframe": self.timeframe,
            "timeframes": self.timeframes,
            "target_symbols": [str(s) for s in self.series],
            "records_per_timeframe": self.records_per_timeframe,
            "lookback": self.dataset.lookback,
            "predict": self.dataset.predict,
            "dataset_path": self.dataset_path,
        }


def _unknown_calendar_key(key: str, keys: list[str]) -> str:
    similar = did_you_mean(map(repr, closest(key, keys)))
    return _(
        "clean.calendar: {key!r} is not a series or an instrument of this model; allowed: {keys}{similar}",
        key=key,
        keys=", ".join(keys),
        similar=similar,
    )


def _names_a_bar(key: str) -> bool:
    return key.rpartition("_")[2].partition("@")[0] in LENGTHS and "_" in key


def _instrument(key: str) -> str:
    return key.rpartition("_")[0] if _names_a_bar(key) else key
