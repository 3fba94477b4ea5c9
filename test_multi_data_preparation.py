#!/usr/bin/env python3
"""The guide's seven checks, as a program: a line per check, exit 0 if all hold. Writes nothing, needs no network."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "prepare_kronos_data_simple.py"
MODEL = "model_a_4h"


def prepare(*flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script in English, without the caller's KRONOS_* variables."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_")}
    environ = {**clean, "KRONOS_LANG": "en", "PYTHONIOENCODING": "utf-8", **variables}
    command = [sys.executable, str(SCRIPT), *flags]
    return subprocess.run(command, cwd=HERE, env=environ, capture_output=True, text=True, encoding="utf-8", check=False)


def values(*flags: str, **variables: str) -> dict[str, Any]:
    """What --explain says, key → value."""
    result = prepare("--config", MODEL, "--explain", "--json", *flags, **variables)
    if result.returncode:
        raise AssertionError(result.stderr.strip())
    return {setting["key"]: setting["value"] for setting in json.loads(result.stdout)["settings"]}


def expect(holds: bool, what: object) -> None:
    """Raise AssertionError with `what` was found, unless it holds. (`assert` would vanish under -O.)"""
    if not holds:
        raise AssertionError(what)


def syntax() -> None:
    """script syntax"""
    compile(SCRIPT.read_text(encoding="utf-8"), str(SCRIPT), "exec")


def help_text() -> None:
    """help"""
    result = prepare("--help")
    missing = [flag for flag in ("--config", "--timeframes", "--dry-run", "--force") if flag not in result.stdout]
    expect(result.returncode == 0 and not missing, f"exit {result.returncode}, not mentioned: {missing}")


def config_list() -> None:
    """list of configs"""
    result = prepare("--list-configs")
    missing = [name for name in ("model_a_4h", "model_b_1d") if name not in result.stdout]
    expect(result.returncode == 0 and not missing, f"exit {result.returncode}, not listed: {missing}")


def dry_run() -> None:
    """dry run"""
    before = sorted(HERE.glob("data/**/*"))
    result = prepare("--config", MODEL, "--dry-run")
    expect(result.returncode == 0, result.stderr.strip())
    expect(sorted(HERE.glob("data/**/*")) == before, "a dry run wrote files")


def custom_parameters() -> None:
    """flags win over the config file"""
    given = values("--timeframes", "4H", "1D", "--records-per-timeframe", "3000", "--output-dir", "custom_data/model_a")
    expect(given["records_per_timeframe"] == 3000, given["records_per_timeframe"])
    expect(given["dataset_path"] == "custom_data/model_a", given["dataset_path"])
    expect("BTC-USDT-SWAP_1D" in given["target_symbols"], given["target_symbols"])


def errors() -> None:
    """a wrong config is one line and exit 2"""
    result = prepare("--config", "no_such_model", "--dry-run")
    expect(result.returncode == 2, f"exit {result.returncode}")
    expect("Configuration validation failed" in result.stderr and "Traceback" not in result.stderr, result.stderr)


def environment() -> None:
    """environment over config file, flags over environment"""
    variables = {"KRONOS_RECORDS_PER_TF": "2500", "KRONOS_TIMEFRAMES": "4H,1D", "KRONOS_OUTPUT_DIR": "elsewhere"}
    given = values(**variables)
    expect(given["records_per_timeframe"] == 2500, given["records_per_timeframe"])
    expect(given["dataset_path"] == "elsewhere", given["dataset_path"])
    expect("BTC-USDT-SWAP_1D" in given["target_symbols"], given["target_symbols"])
    given = values("--records-per-timeframe", "700", **variables)
    expect(given["records_per_timeframe"] == 700, given["records_per_timeframe"])


CHECKS = (syntax, help_text, config_list, dry_run, custom_parameters, errors, environment)


def main() -> int:
    """Run every check; the number that failed decides the exit code."""
    failed = 0
    for check in CHECKS:
        try:
            check()
        except (AssertionError, KeyError, ValueError, OSError, SyntaxError) as error:
            failed += 1
            print(f"❌ {check.__doc__}: {error}")
        else:
            print(f"✅ {check.__doc__}")
    print(f"{len(CHECKS) - failed} / {len(CHECKS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
