"""The commands: what each does, and the arguments that it takes. Imports nothing heavy."""

from __future__ import annotations

import argparse

from kronosforge.cli.flags import add_set, add_setting
from kronosforge.core.i18n import Message, _
from kronosforge.core.names import CURRENT, START, TUNED, model_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        metavar="DIR",
        help=_("folder of the workspace; existing files are not overwritten"),
    )


def _configs(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "--list-configs", _("the same"))
    _json(parser)


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", metavar="SOURCE", help=_("check another source than OKX"))
    _json(parser)


def _prepare(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group(_("what"))
    what.add_argument(
        "--config",
        metavar="NAME|PATH",
        help=_("the model: a name of --list-configs, or a file"),
    )
    _list_configs(what)
    what.add_argument(
        "--timeframes",
        metavar="TF",
        nargs="+",
        help=_("bars, such as 4H 1D: every instrument at each of them"),
    )
    add_setting(what, "records_per_timeframe")
    what.add_argument("--symbols", metavar="INST", nargs="+", help=_("instruments instead of the config's"))
    _add_settings(what, "since", "until", "source.name")
    add_set(what)
    where = parser.add_argument_group(_("where"))
    add_setting(where, "dataset_path")
    where.add_argument(
        "--kronos-dir",
        metavar="DIR",
        help=_("Kronos checkout whose finetune/data gets a copy"),
    )
    _flag(where, "--no-copy", _("no copy for Kronos"))
    _flag(where, "--force", _("replace an existing dataset"))
    how = parser.add_argument_group(_("how"))
    _flag(how, "--dry-run", _("show the plan: no network, nothing written"))
    _explain(how)
    _strict(how)
    _json(how)


def _verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help=_("a dataset's folder, or a config's name"))
    add_set(parser)
    _json(parser)


def _inspect(parser: argparse.ArgumentParser) -> None:
    _json(parser)


def _train(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group(_("what"))
    what.add_argument("--models", "--config", metavar="NAME", nargs="+", help=_("models to train"))
    _list_configs(what)
    what.add_argument("--stage", choices=("tokenizer", "predictor", "both"), default="both", help=_("default: both"))
    _training(parser)
    how = parser.add_argument_group(_("how"))
    _mode(how)
    _flag(how, "--resume", _("continue a run that was stopped"))
    _flag(how, "--force", _("train again"))
    _flag(how, "--accept-new-data", _("resume on another dataset"))
    _flag(how, "--in-process", _("train in this process, one model after the other"))
    _flag(how, "--dry-run", _("show what it will cost, and write nothing"))
    _explain(how)
    _json(how)


def _training(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(_("training"))
    _add_settings(group, "train.init", "train.size", "train.tokenizer", "train.predictor", "train.freeze_tokenizer")
    _add_settings(group, "train.lora", "train.epochs", "train.batch_size")
    _add_settings(group, "train.device", "train.precision", "train.seed")
    add_set(group)


def _forecast(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--series", metavar="KEY", nargs="+", help=_("default: all of the config's"))
    parser.add_argument(
        "--at",
        metavar="TIME",
        help=_("forecast from this time, such as '2025-01-31 16:00'; default: now"),
    )
    add_setting(parser, "dataset.predict")
    parser.add_argument(
        "--weights",
        choices=(CURRENT, TUNED, START),
        type=model_name,
        help=_("default: what was promoted, else fine-tuned, else the start checkpoint"),
    )
    _add_settings(parser, "forecast.samples", "forecast.temperature", "forecast.top_p", "forecast.top_k")
    add_setting(parser, "forecast.quantiles")
    parser.add_argument(
        "--sliding",
        choices=("exact", "approximate"),
        default="exact",
        help=_("beyond the context: recompute, or keep the cache"),
    )
    _flag(parser, "--raw", _("leave impossible candles as they are"))
    add_setting(parser, "source.name")
    parser.add_argument("--out", metavar="DIR", help=_("default: outputs/forecasts/…"))
    _add_settings(parser, "train.device", "forecast.seed")
    add_set(parser)
    _json(parser)


def _evaluate(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument(
        "--models",
        choices=(TUNED, START),
        type=model_name,
        nargs="+",
        default=[TUNED, START],
        help=_("default: both; a verdict needs both"),
    )
    _add_settings(parser, "evaluate.stride", "evaluate.samples")
    parser.add_argument(
        "--folds",
        metavar="K",
        type=int,
        help=_("walk forward instead: retrain for each of K test windows and evaluate them together"),
    )
    add_setting(parser, "train.device")
    add_set(parser)
    _again(parser)
    _json(parser)


def _pipeline(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", metavar="NAME", nargs="+", help=_("default: all but `default`"))
    add_setting(parser, "source.name")
    _training(parser)
    _mode(parser)
    _again(parser)
    _strict(parser)
    _json(parser)


def _quick_start(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "--yes", _("take the defaults, ask nothing"))
    _training(parser)


def _sandbox(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help=_("0 takes a free one"))
    parser.add_argument(
        "--replay",
        metavar="DIR",
        help=_("serve the INST_BAR.csv files of a folder"),
    )
    parser.add_argument("--seed", type=int, default=0, help=_("seed of the synthetic market"))
    parser.add_argument(
        "--edge",
        metavar="S",
        type=float,
        help=_("a market of known truth: weekdays predict this share of each day's move"),
    )
    parser.add_argument("--clock", metavar="ISO", help=_("stop the exchange's clock at this time"))
    parser.add_argument(
        "--faults",
        metavar="SPEC",
        default="",
        help=_("such as 429=0.2,reset=0.1,seed=3"),
    )


def _add_settings(parser: argparse._ActionsContainer, *keys: str) -> None:
    for key in keys:
        add_setting(parser, key)


def _flag(parser: argparse._ActionsContainer, name: str, text: str) -> None:
    parser.add_argument(name, action="store_true", help=text)


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="NAME|PATH", required=True, help=_("the model"))


def _list_configs(parser: argparse._ActionsContainer) -> None:
    _flag(parser, "--list-configs", _("list the models and stop"))


def _mode(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--mode",
        choices=("sequential", "parallel"),
        default="sequential",
        help=_("one model after the other, or at once"),
    )
    parser.add_argument("--max-workers", metavar="N", type=int, help=_("models at once, at most"))


def _again(parser: argparse._ActionsContainer) -> None:
    _flag(parser, "--force", _("repeat what is finished"))


def _explain(parser: argparse._ActionsContainer) -> None:
    _flag(parser, "--explain", _("show each value and where it comes from"))


def _strict(parser: argparse._ActionsContainer) -> None:
    _flag(parser, "--strict", _("treat any warning as an error (exit code 4)"))


def _json(parser: argparse._ActionsContainer) -> None:
    _flag(parser, "--json", _("one JSON object on stdout"))


class Command:
    """A command: what it does, and the arguments that it takes. It runs as `kronosforge.cli.<name>.run(arguments)`."""

    def __init__(self, declare: Callable[[argparse.ArgumentParser], None], help: Message) -> None:  # noqa: A002 - argparse's word
        self.declare = declare
        self._help = help

    @property
    def help(self) -> str:
        """One line about it, in the user's language."""
        return str(self._help)


COMMANDS = {  # in the data's order
    "init": Command(_init, Message("create a workspace in a folder")),
    "configs": Command(_configs, Message("list the models of this workspace")),
    "check": Command(_check, Message("check the environment, the exchange connection and the workspace")),
    "prepare": Command(_prepare, Message("fetch candles and make a model's dataset")),
    "verify": Command(_verify, Message("check that a finished dataset is complete and leaks nothing")),
    "inspect": Command(_inspect, Message("show which candles the store holds")),
    "train": Command(_train, Message("train the models' tokenizers and predictors")),
    "forecast": Command(_forecast, Message("sample the next bars of a model's series")),
    "evaluate": Command(
        _evaluate,
        Message("evaluate a model on its test split and say whether it has an edge"),
    ),
    "pipeline": Command(
        _pipeline,
        Message("prepare, train, evaluate and forecast; what is finished is kept"),
    ),
    "sandbox": Command(_sandbox, Message("serve an exchange on this machine that speaks OKX's protocol")),
}

# Scripts that are not commands of `kronosforge`.
SCRIPTS = {"quick_start": Command(_quick_start, Message("check, ask, and train"))}
