"""The fenced blocks of a page, and the workspace that they are run in."""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)

# Small and from scratch, so that a page's trainings take seconds; the commands are those of the page.
SMALL = """    records_per_timeframe=300,
    dataset=DatasetConfig(lookback=16, predict=4),
    train=TrainConfig(init="scratch", size="tiny", epochs=1, windows_per_epoch=32),
    evaluate=EvaluateConfig(samples=4, stride=8, replicates=100),
)
"""

# What a test cannot do: it installs, or it is this very test. → what stands in for it, if anything.
STAND_INS = {
    "make demo": "python prepare_kronos_data_simple.py --config model_a_4h --source sandbox --force",
    "make pipeline": "python full_pipeline.py --source sandbox --init scratch --size tiny",
    "make test": "",
    ". .venv/bin/activate": "",
    "pip install -e '.[train]'": "",
}


class Block(NamedTuple):
    """A fenced block: its language and its text, without indentation."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in its order."""
    return [
        Block(language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, text in BLOCK.findall(page.read_text("utf-8"))
    ]


def commands(block: Block) -> list[str]:
    """The command lines of a shell block, without comments."""
    lines = re.sub(r"\\\n\s*", "", block.text).splitlines()
    stripped = (re.sub(r"(^|\s+)#.*$", "", line).strip() for line in lines)
    return [line for line in stripped if line]


def links(page: Path) -> list[str]:
    """The targets of a page's links and pictures, in its order; code is left out."""
    prose = BLOCK.sub("", page.read_text("utf-8"))
    return LINK.findall(re.sub(r"`[^`\n]*`", "", prose))


def anchors(page: Path) -> list[str]:
    """What a link to each heading of a page has after `#`, as GitHub makes it: lower case, hyphens, no punctuation."""
    headings = HEADING.findall(BLOCK.sub("", page.read_text("utf-8")))
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def make_workspace(folder: Path) -> Path:
    """A fresh workspace whose two models are small."""
    subprocess.run([sys.executable, "-m", "kronosforge", "init", str(folder)], check=True, capture_output=True)
    for path in (folder / "Kronos" / "finetune").glob("config_model_*.py"):
        text = re.sub(r"    records_per_timeframe=.*", "", path.read_text("utf-8"), flags=re.DOTALL)
        text = text.replace(
            "import DatasetConfig, ModelConfig", "import DatasetConfig, EvaluateConfig, ModelConfig, TrainConfig"
        )
        path.write_text(text + SMALL, "utf-8")
    return folder


class Shell:
    """Runs one command line after the other, as a person types them: `cd` and `export` last."""

    def __init__(self, workspace: Path) -> None:
        self.folder = workspace
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KRONOS_", "HF_"))}
        bin_folder = Path(sys.executable).parent
        self.environ = {
            **kept,
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "KRONOS_SOURCE": "sandbox",
            "KRONOS_LANG": "en",
            "OMP_NUM_THREADS": "1",
        }

    def run(self, command: str) -> tuple[int, str]:
        """The exit code of a command line, and what it printed."""
        command = STAND_INS.get(command, command)
        if not command:
            return 0, ""
        if command.startswith("cd "):
            self.folder = (self.folder / command.removeprefix("cd ").strip()).resolve()
            return 0, ""
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.environ[name] = value.strip('"')
            return 0, ""
        if command.startswith("kronosforge sandbox"):
            return self._serve(command)
        return self._run(command)

    def _run(self, command: str) -> tuple[int, str]:
        """On a terminal whose reader presses Enter at every question."""
        leader, terminal = pty.openpty()
        os.write(leader, b"\n" * 10)
        with subprocess.Popen(
            ["bash", "-c", command], cwd=self.folder, env=self.environ, stdin=terminal, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
        ) as process:  # fmt: skip
            printed, _ = process.communicate(timeout=300)
        os.close(terminal)
        os.close(leader)
        return process.returncode, printed

    def _serve(self, command: str) -> tuple[int, str]:
        """A server, until it says where it listens; then Ctrl-C."""
        arguments = re.sub(r"--port \d+", "--port 0", command).split()
        with subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=self.folder, env=self.environ, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            first = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            process.wait(30)
        return 0 if "http://" in first else 1, first


def copied(workspace: Path, folder: Path) -> Path:
    """A copy of a workspace, to start from where others end."""
    return Path(shutil.copytree(workspace, folder, symlinks=True))
