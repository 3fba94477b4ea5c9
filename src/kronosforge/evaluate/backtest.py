"""A simple backtest with costs: what the forecasts' signs would have earned, and no more than that."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kronosforge.config import EvaluateConfig
from kronosforge.core.bars import DAY, iso
from kronosforge.core.i18n import Message
from kronosforge.evaluate.bootstrap import Blocks, Floats, Interval, Ints
from kronosforge.evaluate.rolling import Origins

YEAR = 365.25 * DAY
LABEL = Message(
    "A simple backtest: enter at the last known close, exit after the horizon; holdings do not overlap, and all "
    "series have equal weight. Fee and slippage are paid on every change of position. Funding, market impact, "
    "failed orders and losses within a holding are not modelled. It shows what the signs of the forecasts were "
    "worth on these bars; it is not a strategy."
)


class Holdings(NamedTuple):
    """K periods that do not overlap, and what each series did in them."""

    rows: Ints  # (K, J) the origin's number, −1 where a series has none
    begin: Ints  # (K,) ms
    end: Ints  # (K,) ms

    @property
    def apart(self) -> Floats:
        """(K,) 1 where a holding does not begin as the one before it ends, else 0."""
        return np.append([True], self.begin[1:] > self.end[:-1]).astype(np.float64)


def backtest(
    origins: Origins, signals: Mapping[str, Floats], real: Floats, rules: EvaluateConfig
) -> dict[str, dict[str, Any]]:
    """Bar code → what following each model's `signals` (N,), the predicted relative close at the horizon, brought, as
    long/flat and long/short, beside buying and holding; `real` (N,) is what came."""
    result = {}
    codes = np.array([bar.code for bar in origins.bars])
    for code in dict.fromkeys(codes.tolist()):
        held = holdings(origins, np.flatnonzero(codes == code))
        present = held.rows >= 0
        moves = np.where(present, real[held.rows], 0.0)
        sides = {
            name: {
                "long/flat": np.where(present, signal[held.rows] > 0, 0.0),
                "long/short": np.where(present, np.sign(signal[held.rows]), 0.0),
            }
            for name, signal in signals.items()
        }
        sides["buy and hold"] = {"long": present.astype(np.float64)}
        result[code] = {
            "holdings": len(held.rows),
            "from": iso(int(held.begin[0])),
            "to": iso(int(held.end[-1])),
            "strategies": {
                name: {kind: _trade(side, moves, present, held, rules) for kind, side in kinds.items()}
                for name, kinds in sides.items()
            },
        }
    return result


def holdings(origins: Origins, which: Ints) -> Holdings:
    """Of the series numbered `which`, which share a bar: from the first instant on, each from when the last has ended."""
    of_these = np.flatnonzero(np.isin(origins.of, which))
    at, end = origins.at[of_these], origins.end[of_these]
    used, first = np.unique(at, return_index=True)
    chosen: list[int] = []
    ends: list[int] = []
    for instant, row in zip(used.tolist(), first.tolist(), strict=True):
        if not ends or origins.instants[instant] >= ends[-1]:
            chosen.append(instant)
            ends.append(int(end[row]))
    rows = np.full((len(chosen), len(which)), -1)
    kept = np.isin(at, chosen)
    rows[np.searchsorted(chosen, at[kept]), np.searchsorted(which, origins.of[of_these][kept])] = of_these[kept]
    return Holdings(rows, origins.instants[chosen], np.array(ends))


def _trade(
    side: Floats, moves: Floats, present: npt.NDArray[np.bool_], held: Holdings, rules: EvaluateConfig
) -> dict[str, Any]:
    """What holding `side` (K, J), −1 to 1, brought while prices moved by `moves` (K, J)."""
    part = side / present.sum(axis=1, keepdims=True)  # of the capital
    before = np.vstack([np.zeros_like(part[:1]), part[:-1]]) * (1 - held.apart[:, None])
    leaves = np.append(held.apart[1:], 1.0)  # at a gap, and at the end
    turnover = np.abs(part - before).sum(axis=1) + leaves * np.abs(part).sum(axis=1)
    net = (part * moves).sum(axis=1) - turnover * (rules.fee_bps + rules.slippage_bps) / 10_000
    equity = np.append(1.0, np.maximum(1 + net, 0).cumprod())
    years = float(held.end[-1] - held.begin[0]) / YEAR
    return {
        "return": float(equity[-1] - 1),
        "sharpe": sharpe(net, len(net) / years, rules)._asdict(),
        "drawdown": float((1 - equity / np.maximum.accumulate(equity)).max()),
        "turnover": float(turnover.sum()),
        "turnover_per_year": float(turnover.sum() / years),
    }


def sharpe(net: Floats, per_year: float, rules: EvaluateConfig) -> Interval:
    """Mean over deviation of `net` (K,), times √`per_year`; undefined where nothing varies. Holdings do not overlap, and
    blocks of ∛K of them keep what is left of dependence."""
    if len(net) < 2 or np.ptp(net) == 0:
        return Interval(None, None, None)
    blocks = Blocks(
        len(net), int(np.ceil(len(net) ** (1 / 3))), replicates=rules.replicates, level=rules.level, seed=rules.seed
    )
    columns = np.stack([net, net * net], axis=1)

    def ratio(weights: Floats) -> Floats:
        mean, square = (weights @ columns / weights.sum(axis=1, keepdims=True)).T
        ratios: Floats = mean / np.sqrt(np.maximum(square - mean**2, 0)) * np.sqrt(per_year)
        return ratios[:, None]

    value = net.mean() / net.std() * np.sqrt(per_year)
    return blocks.intervals(np.array([value]), ratio)[0]
