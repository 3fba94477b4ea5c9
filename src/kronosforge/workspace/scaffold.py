"""Creates a workspace: the files that users run and edit, copied from the package or from the checkout."""

from pathlib import Path

from kronosforge.core.errors import KronosForgeError
from kronosforge.core.files import write_atomic, write_errors
from kronosforge.core.i18n import _

TEMPLATE = Path(__file__).resolve().parent / "template"
CHECKOUT = TEMPLATE.parents[3]
FINETUNE = Path("Kronos") / "finetune"
SCRIPTS = (
    "prepare_kronos_data_simple.py",
    "prepare_all_models.sh",
    "test_multi_data_preparation.py",
    "full_pipeline.py",
)


def lay(folder: Path) -> tuple[list[Path], list[Path]]:
    """Create a workspace in `folder` without overwriting a file.

    Returns the files that were written and those that existed, relative to `folder`. Raises DiskError where `folder`
    cannot be written, KronosForgeError where the installation lacks the files.
    """
    written, kept = [], []
    for name, original in _originals().items():
        target = folder / name
        with write_errors(target):
            if target.exists():
                kept.append(name)
                continue
            write_atomic(target, original.read_bytes())
            target.chmod(original.stat().st_mode & 0o777)
        written.append(name)
    return written, kept


def _originals() -> dict[Path, Path]:
    """Each file of a workspace and the file it is a copy of. A dot file is stored without its dot."""
    scripts = _scripts_folder()
    names = [Path(name) for name in SCRIPTS]
    names += [path.relative_to(scripts) for path in sorted((scripts / FINETUNE).glob("*.py"))]
    return {
        Path("README.md"): TEMPLATE / "README.md",
        Path(".gitignore"): TEMPLATE / "gitignore",
        **{name: scripts / name for name in names},
    }


def _scripts_folder() -> Path:
    """Where scripts and configs stand: in the package as a wheel installs it, else at the root of the checkout."""
    for folder in (TEMPLATE, CHECKOUT):
        if (folder / FINETUNE / "config_default.py").is_file():
            return folder
    raise KronosForgeError(
        _("This installation lacks the workspace files in {template}; reinstall kronosforge", template=TEMPLATE)
    )
