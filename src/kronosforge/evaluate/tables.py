"""Scores to tables: every mean with its interval, pooled and by series, and differences paired."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kronosforge.evaluate.bootstrap import Blocks, Floats, Interval
from kronosforge.evaluate.metrics import LEVELS, MEANS, Scores, across, correlations
from kronosforge.evaluate.rolling import Origins

ERRORS = ("crps", "mae")  # compared as shares of the other's


def table(origins: Origins, scores: Scores, blocks: Blocks) -> dict[str, Any]:
    """As JSON: `pooled` and `series` → key, metric → {value, low, high}, and `calibration` of the whole, where there is
    a spread."""
    values = scores.values
    columns = np.stack([values[name] for name in MEANS], axis=1)
    sided = across(origins.group, values["signal"], values["real"])
    pooled = dict(zip(MEANS, blocks.means(origins.at, columns), strict=True))
    pooled |= dict(zip(("ic_across", "rank_ic_across"), blocks.means(origins.at, sided), strict=True))
    series: dict[str, dict[str, Interval]] = {}
    for j, key in enumerate(origins.series):
        rows = origins.of == j
        if rows.any():
            series[key] = dict(zip(MEANS, blocks.means(origins.at[rows], columns[rows]), strict=True))
    for names, predicted, real in (
        (("ic", "rank_ic"), values["signal"], values["real"]),
        (("vol_ic", "vol_rank_ic"), values["vol_predicted"], values["vol_realised"]),
    ):
        by_series = correlations(origins.at, origins.of, predicted, real, blocks)
        pooled |= dict(zip(names, by_series[None], strict=True))
        for j, key in enumerate(origins.series):
            if key in series:
                series[key] |= dict(zip(names, by_series[j], strict=True))
    return {
        "pooled": as_json(pooled),
        "series": {key: as_json(metrics) for key, metrics in series.items()},
        "calibration": {
            "pit": None if pooled["coverage_50"].value is None else np.round(scores.pit.mean(axis=0), 6).tolist(),
            "coverage": [[level, pooled[f"coverage_{100 * level:.0f}"].value] for level in LEVELS],
        },
    }


def differences(
    origins: Origins, scores: Mapping[str, Scores], of: str, blocks: Blocks
) -> dict[str, dict[str, Interval]]:
    """`of`'s scores against each other's, paired origin by origin: other → metric → the difference of means, of `crps` and
    `mae` as a share of the other's (a skill score with its sign turned: below zero is better), of `hit` as it is."""

    def errors(name: str) -> Floats:
        return np.stack([scores[name].values[metric] for metric in ERRORS], axis=1)

    against: dict[str, dict[str, Interval]] = {}
    for other in scores:
        if other != of:
            against[other] = dict(zip(ERRORS, blocks.shares(origins.at, errors(of), errors(other)), strict=True))
            hits = scores[of].values["hit"] - scores[other].values["hit"]
            [against[other]["hit"]] = blocks.means(origins.at, hits[:, None])
    return against


def as_json(intervals: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    """Intervals as JSON."""
    return {name: interval._asdict() for name, interval in intervals.items()}
