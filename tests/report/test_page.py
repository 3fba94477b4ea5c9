"""The page as bytes: well-formed, self-contained, safe, and the same for the same data."""

import copy
import json
import os
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kronosforge.core.bars import series
from kronosforge.core.candles import empty
from kronosforge.report import SeriesChart, aggregate, write_report
from kronosforge.report.dataset import MOST_CHARTS, MOST_ROWS, render

VOID = {"meta", "link", "br"}
HOSTILE = "</script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>\"'&</style>"


class Page(HTMLParser):
    """Elements, attributes and text of a page; fails where a tag does not close what is open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        assert len({name for name, _ in attrs}) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def style(html: str) -> str:
    return html[html.index("<style>") : html.index("</style>")]


def spoiled(value: Any) -> Any:
    """`value` with every text in it, keys of series included, hostile."""
    if isinstance(value, dict):
        return {key: spoiled(part) for key, part in value.items()}
    if isinstance(value, list):
        return [spoiled(part) for part in value]
    return HOSTILE if isinstance(value, str) else value


def test_it_is_well_formed(summary: dict[str, Any], charts: list[SeriesChart]) -> None:
    page = Page(render(summary, charts))
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    links = [value[1:] for _, name, value in page.attributes if name == "href" and value.startswith("#")]
    assert links
    assert set(links) <= set(ids)


def test_it_loads_nothing(summary: dict[str, Any], charts: list[SeriesChart]) -> None:
    html = render(summary, charts)
    loads = [value for _, name, value in Page(html).attributes if name in ("src", "href", "srcset", "data", "action")]
    assert all(value.startswith(("#", "data:")) for value in loads)
    assert not re.search(r"url\(|@import", style(html))
    assert "default-src 'none'" in html


def test_hostile_names_stay_text(summary: dict[str, Any], charts: list[SeriesChart]) -> None:
    hostile = spoiled(summary)
    hostile["cuts"] = summary["cuts"]
    hostile["series"] = {f"{HOSTILE}_4H": facts for facts in hostile["series"].values()}
    chart = charts[0]._replace(key=f"{HOSTILE}_4H")
    honest = {"name": "x", "series": {"x_4H": copy.deepcopy(next(iter(summary["series"].values())))}}
    allowed = set(Page(render({**summary, **honest}, charts)).tags)
    page = Page(render(hostile, [chart]))
    assert page.tags.count("script") == 3
    assert set(page.tags) <= allowed
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert HOSTILE in page.text


def test_a_chart_cannot_end_its_script(summary: dict[str, Any], charts: list[SeriesChart]) -> None:
    html = render(summary, [charts[0]._replace(key=HOSTILE)])
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["series"][0]["key"] == HOSTILE


def test_two_runs_write_the_same_bytes(
    summary: dict[str, Any], charts: list[SeriesChart], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(summary, charts, tmp_path / "a.html")
    monkeypatch.setenv("KRONOS_LANG", "zh")
    later = copy.deepcopy(summary) | {"created_at": "2099-01-01T00:00:00Z", "output_directory": "/elsewhere"}
    for file in later["files"]:
        file["modified"] = "2099-01-01T00:00:00Z"
    write_report(later, charts, tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_the_order_of_hashes_does_not_reach_it() -> None:
    program = (
        "import hashlib; from kronosforge.report.dataset import render;"
        "one = {'rows': 1, 'findings': [{'kind': k, 'count': 1, 'action': 'kept'} for k in 'ab']};"
        "print(hashlib.sha256(render({'model_name': 'm', 'series': {'A_4H': one, 'B_4H': one}}, []).encode()).hexdigest())"
    )
    seeds = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert seeds[0] == seeds[1]


def test_it_says_what_the_summary_says(summary: dict[str, Any], charts: list[SeriesChart]) -> None:
    page_text = Page(render(summary, charts)).text
    for part in (
        "Model_A_4H",
        "Ready: 3,886 / 716 / 804 windows",
        "warnings: 1",
        "BTC-USDT-SWAP_1D 的验证集只有 31 个窗口",
        "90 seen + 10 forecast + 1 = 101 bars",
        "2026-04-18 12:34",
        "2025-08-01 00:00",
        "bars frozen before they were finished",
        "未收盘即被固定的K线",
        "taken out",
        "2024-07-04 00:00",
        "the source has none",
        "0123456789abcdef" * 4,
        "a" * 64,
        "polars 2.1.0",
        "kronosforge verify .",
        "kronosforge prepare --config model_a_4h --source okx --records-per-timeframe 5056 --until 2026-04-18T12:34Z",
        "each candle shows up to 13 bars",
    ):
        assert part in page_text
    for part in ("2031", "/home/somebody"):
        assert part not in page_text


def test_a_clean_dataset_is_ready(summary: dict[str, Any], charts: list[SeriesChart]) -> None:
    summary["warnings"] = []
    for facts in summary["series"].values():
        facts["findings"] = []
    page = Page(render(summary, charts))
    assert "no findings 未发现问题" in page.text
    assert ("p", "class", "verdict good") in page.attributes


def test_the_worst_finding_stands_on_top(summary: dict[str, Any], charts: list[SeriesChart]) -> None:
    summary["warnings"] = []
    kept = {"kind": "extreme", "count": 999, "action": "kept", "examples": []}
    summary["series"]["BTC-USDT-SWAP_4H"]["findings"] = [kept]
    page = Page(render(summary, charts))
    assert "BTC-USD-SWAP_4H bars frozen before they were finished" in page.text
    assert ("p", "class", "verdict look") in page.attributes


def test_derived_values_are_told(summary: dict[str, Any], charts: list[SeriesChart]) -> None:
    assert "Every value is the source's own." in Page(render(summary, charts)).text
    summary["series"]["BTC-USDT-SWAP_1D"]["provenance"] = {"exchange": 800, "derived": 40, "filled": 2}
    assert "turnover derived as volume × mean" in Page(render(summary, charts)).text


def test_the_command_names_every_instrument_at_every_bar(summary: dict[str, Any]) -> None:
    facts = summary["series"]["BTC-USD-SWAP_4H"]
    summary["series"] = {f"{name}_{bar}": facts for name in ("BTC-USDT-SWAP", "ETH-USDT-SWAP") for bar in ("4H", "1D")}
    summary["config"]["since"] = "2025-01-01"
    page_text = Page(render(summary, [])).text
    assert (
        "--source okx --symbols BTC-USDT-SWAP ETH-USDT-SWAP --timeframes 4H 1D --since 2025-01-01 --until" in page_text
    )


def test_colours_can_be_told_apart(summary: dict[str, Any]) -> None:
    light, dark = re.findall(r":root \{(.*?)\}", style(render(summary, [])), re.DOTALL)
    for scheme in (light, dark):
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", scheme))
        for ground in ("paper", "surface"):
            for name in ("ink", "muted", "link", "train", "val", "test"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
            for name in ("up", "down", "gap", "good"):
                assert contrast(colours[name], colours[ground]) >= 3, (name, ground)
        assert contrast(colours["up"], colours["down"]) >= 3
        assert contrast(colours["look-ink"], colours["look-ground"]) >= 4.5


def contrast(colour: str, other: str) -> float:
    """Contrast ratio, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    lighter, darker = sorted((luminance(colour), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_hundred_series_stay_small_and_quick(
    summary: dict[str, Any], charts: list[SeriesChart], tmp_path: Path
) -> None:
    facts = copy.deepcopy(summary["series"]["BTC-USDT-SWAP_4H"])
    facts["gaps"] *= 50
    summary["series"] = {f"C{i}-USDT-SWAP_4H": facts for i in range(100)}
    many = [charts[0]._replace(key=key) for key in summary["series"]]
    started = time.process_time()
    write_report(summary, many, tmp_path / "report.html")
    assert time.process_time() - started < 1  # measured: 0.15 s
    html = (tmp_path / "report.html").read_text("utf-8")
    page = Page(html)
    assert page.tags.count("figure") == MOST_CHARTS
    assert f"{MOST_CHARTS} of 100 series are drawn" in page.text
    assert f"The first {MOST_ROWS} of 5,000; all of them are in data_summary.json." in page.text
    assert all(key in page.text for key in summary["series"])
    assert len(html) < 6_500_000


def test_a_series_without_candles_is_told(summary: dict[str, Any]) -> None:
    summary["series"]["ETH-USDT-SWAP_4H"] = {"rows": 0, "first": None, "last": None}
    page = Page(render(summary, [aggregate(series("ETH-USDT-SWAP_4H"), empty())]))
    assert "ETH-USDT-SWAP_4H 0 bars of 4H" in page.text


def test_no_element_is_shown_as_text(summary: dict[str, Any], charts: list[SeriesChart]) -> None:
    assert "<" not in Page(render(summary, charts)).text
