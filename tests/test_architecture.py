"""Who may import whom. Each row of ARROWS is one rule of the design; the message says which arrow broke."""

import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "kronosforge"
HEAVY = ("torch", "polars", "pandas", "ccxt", "pydantic", "numpy", "rich", "asyncio", "jinja2")
BASE = {"core", "config"}
IN_STRING = re.compile(r"^kronosforge\.[a-z_][a-z_.]*")  # an import path, or how one begins

# part of the package → the parts that it may import besides itself, whole or in part
ARROWS = {
    "core": set(),
    "config": {"core"},
    "workspace": BASE,
    "source": BASE,
    "store": BASE | {"source.base"},
    "clean": BASE,
    "split": BASE,
    "dataset": BASE | {"split", "workspace.paths"},
    "model": {"core"},
    "train": BASE | {"dataset", "model", "workspace.paths", "workspace.training_record"},
    "forecast": BASE
    | {"clean.calendar", "clean.checks", "clean.findings", "clean.grid", "dataset.normalize", "dataset.windows"}
    | {"model", "workspace.paths", "workspace.training_record"},
    "evaluate": BASE | {"dataset", "split", "model", "forecast", "workspace.paths", "workspace.training_record"},
    "sandbox": {"core"},
    "report": BASE | {"workspace.paths"},
    "engine": {"core"},
    "workflows": BASE
    | {"workspace", "source", "store", "clean", "split", "dataset", "model.devices", "train", "forecast", "evaluate"}
    | {"report", "sandbox", "engine"},
    "cli": BASE | {"workspace", "workflows", "sandbox"},  # `kronosforge sandbox` serves it
    "service": BASE | {"workspace", "workflows"},
    "__main__": {"cli"},
    "__init__": {"config", "evaluate", "forecast", "model", "train", "workflows", "workspace"},  # lazily
}

# library → the only parts that may import it
HOMES = {
    "ccxt": {"source"},
    "pandas": {"dataset", "clean", "forecast"},
    "exchange_calendars": {"clean"},
    "torch": {"dataset", "model", "train", "forecast", "evaluate"},
    "aiohttp": {"sandbox", "source"},
    "argparse": {"cli"},
    "rich": {"cli"},
    "jinja2": {"report"},
    "markupsafe": {"report"},
    "scipy": {"evaluate"},
    "scoringrules": {"evaluate"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> list[str]:
    """Dotted names that a module imports, at any depth of its code, and modules of ours that it names in a string."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the full name"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names += IN_STRING.findall(node.value)
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_part_imports_only_what_the_design_allows(path: Path) -> None:
    home = part(path)
    for name in imports(path):
        if not name.startswith("kronosforge."):
            continue
        target = name.removeprefix("kronosforge.")
        allowed = {home, *ARROWS[home]}
        assert any(target == a or target.startswith(a + ".") for a in allowed), f"{home} → {target} ({path.name})"


def test_an_import_by_string_is_seen(tmp_path: Path) -> None:
    module = tmp_path / "sly.py"
    module.write_text('load("kronosforge.train"), load(f"kronosforge.report.{name}"), run("kronosforge.cli.main:run")')
    assert sorted(imports(module)) == ["kronosforge.cli.main", "kronosforge.report.", "kronosforge.train"]


def circle(arrows: Mapping[str, set[str]]) -> list[str]:
    """Some circle among the arrows, empty where there is none."""
    order = TopologicalSorter(arrows)
    try:
        order.prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_circle_between_packages() -> None:
    arrows: dict[str, set[str]] = {}
    for path in modules():
        targets = {name.split(".")[1] for name in imports(path) if name.startswith("kronosforge.")}
        arrows.setdefault(part(path), set()).update(targets - {part(path), ""})
    assert not circle(arrows)


def test_no_circle_between_modules() -> None:
    names = {module_name(path) for path in modules()}
    arrows = {}
    for path in modules():
        targets = {name if name in names else name.rpartition(".")[0] for name in imports(path)}
        arrows[module_name(path)] = (targets & names) - {module_name(path), *parents(module_name(path))}
    assert not circle(arrows)


def parents(name: str) -> list[str]:
    """The packages that a module lies in: they hand its names on."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def file_names() -> set[str]:
    """The files of a workspace, as `workspace/paths.py` spells them."""
    tree = ast.parse((PACKAGE / "workspace" / "paths.py").read_text("utf-8"))
    names = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {
        name for name in names if re.fullmatch(r"\w+\.(json|html|jsonl|npz|pkl|parquet|csv)|CURRENT|best_model", name)
    }


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_of_the_workspace_is_spelled_in_one_place(path: Path) -> None:
    assert {"data_summary.json", "evaluation.json", "CURRENT", "train_data.pkl"} <= file_names()
    if path.relative_to(PACKAGE).as_posix() in ("workspace/paths.py", "dataset/leak_probe.py"):  # upstream's own names
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value.removeprefix("/") not in file_names(), (
                f"{path}: {node.value!r} belongs in workspace/paths"
            )


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_library_is_imported_in_its_home_only(path: Path) -> None:
    for name in imports(path):
        library = name.split(".")[0]
        if library in HOMES:
            assert part(path) in HOMES[library], f"{library} is imported in {part(path)} ({path.name})"


@pytest.mark.parametrize("flags", [["--help"], ["prepare", "--help"], ["configs"]])
def test_help_and_listing_import_nothing_heavy(flags: list[str]) -> None:
    code = f"import sys; from kronosforge.cli import run\ntry: run({flags!r})\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent.parent
    )
    loaded = set(result.stderr.split())
    assert not loaded.intersection(HEAVY)
