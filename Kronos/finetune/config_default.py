"""Every setting of a model and its default: a new model starts as a copy of this file.

A line `# name=value,` shows a default. Remove its `#` to change the setting.
"""

from kronosforge.config import (
    CleanConfig,
    DatasetConfig,
    EvaluateConfig,
    ForecastConfig,
    ModelConfig,
    SourceConfig,
    SplitConfig,
    TrainConfig,
)

config = ModelConfig(
    # The name in reports, such as `Model_A_4H`.
    model_name="Default",
    # One line for `--list-configs`.
    description="BTC-USDT-SWAP at 4H, 90 + 10 bars",
    # Bar of the entries of `target_symbols` that do not name one.
    timeframe="4H",
    # Series keys such as `BTC-USDT-SWAP_4H`.
    target_symbols=["BTC-USDT-SWAP_4H"],
    # Number of newest bars of each series to use, unless `since` is given.
    records_per_timeframe=2000,
    # Start time, such as `2025-01-31` or `2025-01-31T16:00+08:00`, instead of the newest N bars.
    # since=None,
    # End time, exclusive, such as `2025-01-31T16:00Z`; without it, or with `now`, the newest finished bar.
    # until=None,
    # Folder of the dataset; by default `data/kronos_datasets/<name>`.
    # dataset_path="data/kronos_datasets/default",
    # Where candles come from.
    source=SourceConfig(
        # `okx`, `sandbox`, `binance`, `bybit` or `files:DIR`.
        # name="okx",
        # Another address of the exchange (EEA, US, a proxy, a sandbox); its candles are stored apart.
        # url=None,
        # True refuses to run without a full set of API credentials. Candles need none.
        # credentials_required=False,
        # HTTP proxy, such as `http://127.0.0.1:7890`.
        # proxy=None,
        # Seconds to wait for one answer.
        # timeout_s=20.0,
        # How often one request is tried again, with growing pauses, before the command fails.
        # retries=8,
        # `files` only: which end of the bar its time names.
        # label="open",
        # `files` only: the zone of times that carry none, such as `Asia/Shanghai`.
        # timezone="UTC",
    ),
    # How candles are checked and repaired. Every repair is counted.
    clean=CleanConfig(
        # When bars are due: `24/7`, or a calendar of exchange_calendars such as `XSHG` or `XNYS`. A model of
        # several markets gives one for each series key or instrument, `{"600519.SH_1D": "XSHG"}`; `"*"` stands
        # for the rest, else `24/7`.
        # calendar="24/7",
        # What to do at missing bars: `split` the series into segments, `fill` them flat with volume 0, or
        # `fail`.
        # gaps="split",
        # With `fill`: the longest gap, in bars, that is filled; the series is split at longer ones.
        # max_fill=3,
        # Largest |ln(open / previous close)| between neighbouring bars. At a larger jump (a share split, a
        # relisting, a wrong unit) the series is split into segments. 0.4 is +49 % or −33 %.
        # max_gap=0.4,
        # Largest number of consecutive bars without trade that are kept; more are dropped.
        # max_flat_run=48,
        # Largest share of broken bars; a series with more is refused.
        # max_bad_share=0.02,
        # Bars that were saved before they closed: `drop` them, or `keep` them where a market really trades like
        # that.
        # frozen="drop",
        # Coins or shares per unit of volume: 100 for Chinese lots, 0.01 for BTC-USDT-SWAP contracts.
        # volume_unit=1.0,
    ),
    # Chronological split: the cut instants are the same for every series of the model.
    split=SplitConfig(
        # Share of bars before the first cut.
        # train=0.7,
        # Share of bars between the cuts; the rest is the test split.
        # val=0.15,
        # Fewer windows than this in a split is an error.
        # min_windows=1,
        # Fewer windows than this in a split is a warning.
        # thin_windows=100,
    ),
    # The windows that the model is trained on: lookback + predict + 1 consecutive bars.
    dataset=DatasetConfig(
        # Bars that the model sees; normalisation uses these only.
        # lookback=90,
        # Bars that are forecast.
        # predict=10,
        # Normalised values are clipped to ± this.
        # clip=5.0,
    ),
    # How tokenizer and predictor are trained. Where one number stands for both, both use it.
    train=TrainConfig(
        # Start from published weights (`pretrained`), or from random ones (`scratch`).
        # init="pretrained",
        # Size of the model that `scratch` builds; `tiny` is for tests and demos.
        # size="small",
        # The pretrained tokenizer: a folder or a hub id.
        # tokenizer="NeoQuasar/Kronos-Tokenizer-base",
        # Branch, tag or commit on the hub.
        # tokenizer_revision=None,
        # The pretrained predictor: a folder or a hub id.
        # predictor="NeoQuasar/Kronos-small",
        # Branch, tag or commit on the hub.
        # predictor_revision=None,
        # Keep the tokenizer as it is and only measure it, instead of training it.
        # freeze_tokenizer=False,
        # Maximum number of passes over the training windows; `patience` may end training earlier.
        # epochs=5,
        # Epochs without a better validation score after which training ends.
        # patience=3,
        # Windows per epoch, drawn again for each epoch; by default all of them, once each.
        # windows_per_epoch=None,
        # Share of each series: by its `bars`, the same for each `series`, or a weight for each series key.
        # mix="bars",
        # Windows per step and process.
        # batch_size=50,
        # Batches whose gradients are added before a step; the effective batch is batch_size × accumulate ×
        # processes.
        # accumulate=1,
        # Peak learning rate; by default 2e-4 (as upstream), or 1e-3 from scratch.
        # tokenizer_lr=None,
        # Peak learning rate; by default 1e-5 (advised by upstream's maintainer, issue 177), or 1e-3 from
        # scratch.
        # predictor_lr=None,
        # `onecycle` warms up from a tenth of the peak and falls to nothing; `cosine` warms up from 0 and falls
        # to a tenth.
        # schedule="onecycle",
        # Share of all steps in which the learning rate rises.
        # warmup=0.03,
        # AdamW's.
        # weight_decay=0.1,
        # AdamW's.
        # betas=(0.9, 0.95),
        # Largest norm of the tokenizer's gradient; a longer one is shortened to it.
        # tokenizer_clip=2.0,
        # Largest norm of the predictor's gradient.
        # predictor_clip=3.0,
        # Rank of a low-rank update of the predictor's attention and feed-forward weights, instead of training
        # all; 0 is off.
        # lora=0,
        # Random seed of the initial weights, the order of windows and dropout.
        # seed=100,
        # `auto` (cuda, else mps, else cpu), `cpu`, `mps`, `cuda` or `cuda:N`.
        # device="auto",
        # `auto`: bf16 autocast on a GPU that has it, float32 elsewhere. `bf16` is fast on CPUs with AMX, too.
        # precision="auto",
        # True runs the network through torch.compile; needs a C++ compiler on CPU.
        # compile=False,
        # Processes that read ahead; 0 is fastest unless the disk is slow.
        # workers=0,
        # Seconds between saves of the state that --resume goes on from; each epoch is saved in any case.
        # save_every_s=120.0,
    ),
    # Forecast sampling and output.
    forecast=ForecastConfig(
        # Paths per forecast.
        # samples=32,
        # Divides the logits; 1 samples from the distribution that the model learned.
        # temperature=1.0,
        # Sample from the smallest set of tokens with this much probability; upstream's 0.9 cuts off the tails
        # and makes the forecast narrower than the distribution that the model learned.
        # top_p=1.0,
        # Sample from the k most likely tokens; 0 keeps all, and 1 is greedy, so that all paths are the same.
        # top_k=0,
        # Random seed of the paths, each of which has its own stream by series, origin and number. An evaluation
        # uses it for random walks and resamples, too.
        # seed=0,
        # Quantile levels of the tables and the charts.
        # quantiles=[0.05, 0.25, 0.5, 0.75, 0.95],
    ),
    # How models are judged on the test split.
    evaluate=EvaluateConfig(
        # Paths per forecast.
        # samples=32,
        # Divides the logits; 1 samples from the distribution that the model learned.
        # temperature=1.0,
        # Sample from the smallest set of tokens with this much probability; upstream's 0.9 cuts off the tails
        # and makes the forecast narrower than the distribution that the model learned.
        # top_p=1.0,
        # Sample from the k most likely tokens; 0 keeps all, and 1 is greedy, so that all paths are the same.
        # top_k=0,
        # Random seed of the paths, each of which has its own stream by series, origin and number. An evaluation
        # uses it for random walks and resamples, too.
        # seed=0,
        # Bars between one forecast and the next; 1 forecasts from every valid origin.
        # stride=1,
        # Resamples behind an interval.
        # replicates=1000,
        # Of the intervals.
        # level=0.95,
        # Instants per block of the bootstrap; by default three horizons, and never less than one.
        # block=None,
        # Backtest: fee per unit traded, in hundredths of a per cent; OKX's lowest level pays 5 for taking a
        # swap.
        # fee_bps=5.0,
        # Backtest: slippage, the difference between the close and the price obtained, in hundredths of a per
        # cent.
        # slippage_bps=2.0,
    ),
)
