"""What somebody has who installs the package and has no checkout: from `init` to the verdict."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SCRIPTS = {
    "full_pipeline.py",
    "prepare_all_models.sh",
    "prepare_kronos_data_simple.py",
    "test_multi_data_preparation.py",
}
SMALL_MODEL = """
from kronosforge.config import DatasetConfig, EvaluateConfig, ForecastConfig, ModelConfig, TrainConfig

config = ModelConfig(
    model_name="Small",
    target_symbols=["BTC-USDT-SWAP_4H"],
    records_per_timeframe=400,
    dataset=DatasetConfig(lookback=20, predict=4),
    train=TrainConfig(epochs=1, windows_per_epoch=50),
    forecast=ForecastConfig(samples=2),
    evaluate=EvaluateConfig(samples=2, stride=9, replicates=100),
)
"""


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as on another machine: without this checkout, its environment and the caller's settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("KRONOS_", "PYTHON", "OKX_"))}
    environ = {**own, "KRONOS_LANG": "en", "OMP_NUM_THREADS": "1", **variables}
    result = subprocess.run(
        command, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False
    )
    assert result.returncode == 0, result.stderr + result.stdout
    return result


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def build_wheel(source: Path, folder: Path) -> Path:
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*command, "--wheel-dir", folder, source, cwd=folder)
    return next(folder.glob("*.whl"))


def files_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a new environment that has the wheel, and our dependencies from this one."""
    folder = tmp_path_factory.mktemp("install") / "空 environment"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=ROOT)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    packages = next(folder.glob("lib/python*/site-packages"))
    # a folder that a .pth adds has its own .pth files ignored: this checkout's editable install is not seen
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    assert not SCRIPTS & {path.name for path in packages.iterdir()}
    return folder / "bin"


def test_only_the_package_stands_at_the_top_of_a_wheel(wheel: Path) -> None:
    top = {name.split("/")[0] for name in files_in(wheel)}
    assert top == {"kronosforge", f"kronosforge-{wheel.name.split('-')[1]}.dist-info"}


def test_a_wheel_from_the_source_distribution_holds_the_same_files(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path, cwd=ROOT)
    rebuilt = build_wheel(next(tmp_path.glob("*.tar.gz")), tmp_path)
    assert files_in(rebuilt) == files_in(wheel)


def test_datasets_of_the_checkout_do_not_travel(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".git", ".venv*", "tests", "docs", "data", "outputs"))
    for folder in ("Kronos/finetune/data", "data"):
        (checkout / folder).mkdir()
        (checkout / folder / "train_data.pkl").write_bytes(b"x")
    assert not [name for name in files_in(build_wheel(checkout, tmp_path)) if name.endswith(".pkl")]


def test_the_files_that_the_dockerfile_copies_make_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    for patterns in copied_by(DOCKERFILE.partition("\nFROM")[2].split("\nFROM")[0]):
        *names, target = patterns.split()
        for path in (path for name in names for path in ROOT.glob(name)):
            if path.is_dir():
                shutil.copytree(path, context / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, context / target)
    assert files_in(build_wheel(context, tmp_path)) == files_in(wheel)


def copied_by(stage: str) -> list[str]:
    return [line.removeprefix("COPY ") for line in stage.splitlines() if line.startswith("COPY ")]


def test_the_image_makes_a_workspace_of_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    def value(name: str) -> list[str]:
        (line,) = (line for line in DOCKERFILE.splitlines() if line.startswith(name))
        listed: list[str] = json.loads(line.removeprefix(name))
        return listed

    path = f"{installed}{os.pathsep}{os.environ['PATH']}"
    helped = run(*value("ENTRYPOINT"), *value("CMD"), cwd=tmp_path, PATH=path)
    assert helped.stdout.startswith("usage: full_pipeline.py")


def test_from_init_to_the_verdict_without_a_checkout(installed: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "工作 区"
    written = run(installed / "kronosforge", "init", workspace, cwd=tmp_path).stdout
    assert all(name in written for name in (*SCRIPTS, "README.md", ".gitignore"))
    (workspace / "Kronos" / "finetune" / "config_small.py").write_text(SMALL_MODEL, "utf-8")
    flags = ("--models", "small", "--source", "sandbox", "--init", "scratch", "--size", "tiny", "--device", "cpu")
    done = run(installed / "python", "full_pipeline.py", *flags, cwd=workspace)
    assert "edge" in done.stdout
    assert (workspace / "outputs" / "models" / "small" / "evaluation.json").is_file()
    where = run(installed / "python", "-c", "import kronosforge; print(kronosforge.__file__)", cwd=workspace).stdout
    assert Path(where.strip()).is_relative_to(installed.parent)
