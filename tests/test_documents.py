"""Every fenced command and Python block of the READMEs, the guides and docs/, run in its page's order in a workspace.

What the pages say is compared with the program, and every relative link leads somewhere.
"""

import ast
import re
import shutil
import sys
import unicodedata
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")

from kronosforge.cli.parser import build_parser
from tests.documents import ROOT, Block, Shell, anchors, blocks, commands, copied, links, make_workspace

if sys.platform == "win32":
    pytest.skip("the pages' commands are a POSIX shell's", allow_module_level=True)

GUIDE = ROOT.parent / "shared" / "reference" / "guide.zh.md"
DOCS = sorted(path.name for path in (ROOT / "docs" / "en").glob("*.md"))
PAGES = [
    "README.md", "README_KRONOS.md", "KRONOS_DATA_GUIDE.md", "KRONOS_MULTI_MODEL_GUIDE.md",
    "Kronos/finetune/README_MULTI_MODEL.md", *(f"docs/en/{name}" for name in DOCS),
]  # fmt: skip
TRAINED = ("docs/en/evaluate.md", "docs/en/forecast.md")  # pages about what follows training
PREPARED = ("docs/en/dataset.md", "docs/en/train.md", "Kronos/finetune/README_MULTI_MODEL.md")

MARKDOWN = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "Kronos/finetune/*.md", "src/**/*.md")
    for page in ROOT.glob(pattern)
)

# Command → exit code other than 0, and why.
REFUSED = {
    # The guide shows how to override settings; for the model's own folder, which holds a dataset made with others.
    "python prepare_kronos_data_simple.py --config model_a_4h --timeframes 4H 1D": 2,
    "python prepare_kronos_data_simple.py --config model_b_1d --records-per-timeframe 3000": 2,
}


@pytest.fixture(scope="module")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A fresh workspace, one with both datasets, and one with both models trained."""
    folder = tmp_path_factory.mktemp("pages")
    fresh = make_workspace(folder / "fresh 目录")
    prepared = copied(fresh, folder / "prepared")
    for model in ("model_a_4h", "model_b_1d"):
        run(Shell(prepared), f"python prepare_kronos_data_simple.py --config {model}")
    trained = copied(prepared, folder / "trained")
    run(Shell(trained), "python Kronos/finetune/multi_model_trainer.py --models model_a_4h")
    return {"fresh": fresh, "prepared": prepared, "trained": trained}


def run(shell: Shell, command: str) -> None:
    code, printed = shell.run(command)
    assert code == REFUSED.get(command, 0), f"{command}\n{printed[-3000:]}"
    assert "internal error" not in printed, printed[-3000:]


def run_page(page: Path, shell: Shell) -> None:
    """Run the blocks of a page in order; a config becomes a file of the workspace, and is explained."""
    for block in blocks(page):
        if block.language in ("bash", "sh"):
            for command in commands(block):
                run(shell, command)
        elif block.language == "python" and "config = ModelConfig(" in block.text:
            explain(block, shell)


def explain(block: Block, shell: Shell) -> None:
    (name,) = re.findall(r'model_name="(\w+)"', block.text)
    finetune = next(p for p in (shell.folder, *shell.folder.parents) if (p / "Kronos").is_dir()) / "Kronos" / "finetune"
    (finetune / f"config_{name}.py").write_text(block.text, "utf-8")
    run(shell, f"kronosforge prepare --config {name} --explain")


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_works_in_its_order(name: str, workspaces: dict[str, Path], tmp_path: Path) -> None:
    state = "trained" if name in TRAINED else "prepared" if name in PREPARED else "fresh"
    workspace = copied(workspaces[state], tmp_path / "w s")
    if name == "docs/en/source.md":  # a folder of files, as the page has it
        (workspace / "my_candles").mkdir()
        source = ROOT.parent / "shared" / "data" / "okx" / "BTC-USDT-SWAP_4H.csv"
        for key in ("BTC-USD-SWAP_4H", "BTC-USDT-SWAP_4H", "ETH-USDT-SWAP_4H"):
            shutil.copyfile(source, workspace / "my_candles" / f"{key}.csv")
    shell = Shell(workspace)
    if name.startswith("Kronos/finetune/"):
        shell.folder = workspace / "Kronos" / "finetune"
    run_page(ROOT / name, shell)


@pytest.mark.parametrize(
    ("english", "chinese"),
    [("README.md", "README.zh-CN.md"), *((f"docs/en/{name}", f"docs/zh/{name}") for name in DOCS)],
)
def test_both_languages_show_the_same_commands_and_code(english: str, chinese: str) -> None:
    """Comments aside: what is run in the one is run for the other."""
    assert list(map(stripped, runnable(ROOT / english))) == list(map(stripped, runnable(ROOT / chinese)))


def runnable(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language in ("bash", "sh", "python")]


def stripped(block: Block) -> object:
    return ast.dump(ast.parse(block.text)) if block.language == "python" else commands(block)


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{link}: no such file"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading; there are {anchors(target)}"


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_a_readme_lists_its_sections(name: str) -> None:
    listed = [link.removeprefix("#") for link in links(ROOT / name) if link.startswith("#")]
    assert listed == anchors(ROOT / name)[1:]


@pytest.mark.parametrize(("name", "language"), [("README.md", "en"), ("README.zh-CN.md", "zh")])
def test_a_readme_and_the_help_list_the_same_exit_codes(
    name: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRONOS_LANG", language)
    (paragraph,) = [text for text in (ROOT / name).read_text("utf-8").split("\n\n") if "130 " in text]
    readme, program = exit_codes(paragraph), exit_codes(str(build_parser().epilog))
    assert readme.keys() == program.keys() >= {0, 2, 3, 4, 5, 130}
    assert not [code for code in program if not readme[code].startswith(program[code])]


def exit_codes(text: str) -> dict[int, str]:
    """Code → what it means, without what stands in brackets."""
    text = unicodedata.normalize("NFKC", text)  # Chinese commas and brackets are wider
    pairs = re.findall(r"(\d+) ([^;,.]+)", re.sub(r"\(.*?\)", "", text, flags=re.DOTALL))
    return {int(code): meaning.strip() for code, meaning in pairs}


def test_the_guides_commands_work_in_its_order(workspaces: dict[str, Path], tmp_path: Path) -> None:
    """In one workspace, as its users type them; its own scripts, which ours replace, are not pasted in."""
    if not GUIDE.is_file():
        pytest.skip("no shared/ beside the checkout")
    workspace = copied(workspaces["fresh"], tmp_path / "指南")
    for block in blocks(GUIDE):
        if block.language != "bash" or block.text.startswith("#!"):
            continue
        shell = Shell(workspace)
        for command in commands(block):
            run(shell, command.replace("/data/custom_location", str(tmp_path / "custom")))
