"""The Python of docs/*/forecast.md runs as it is written, block after block, in a workspace with a tuned model."""

import pickle
import re
from pathlib import Path

import pandas as pd
import pytest

from kronosforge.model import KronosPredictor, KronosTokenizer
from tests.conftest import ROOT


@pytest.fixture
def workspace(
    tokenizer: KronosTokenizer, predictor: KronosPredictor, candles: pd.DataFrame, tmp_path: Path, monkeypatch
) -> Path:
    models, data = tmp_path / "outputs/models/model_a_4h", tmp_path / "data/kronos_datasets/model_a_4h"
    tokenizer.save_pretrained(models / "tokenizer" / "best_model")
    predictor.save_pretrained(models / "predictor" / "best_model")
    data.mkdir(parents=True)
    frame = candles.rename(columns={"timestamps": "datetime", "volume": "vol", "amount": "amt"}).set_index("datetime")
    (data / "test_data.pkl").write_bytes(pickle.dumps({"BTC-USD-SWAP_4H": frame}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_examples_run(workspace: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / language / "forecast.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, f"docs/{language}/forecast.md", "exec"), names)
    assert len(blocks) == 3
    assert "DatetimeIndex(['2024-02-08', '2024-02-19', '2024-02-20']" in capsys.readouterr().out
