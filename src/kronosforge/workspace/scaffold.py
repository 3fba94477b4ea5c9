"""The workspace that `init` lays: the files that users type and edit, from the checkout or from the wheel."""

from pathlib import Path

from kronosforge.core.errors import KronosForgeError
from kronosforge.core.files import disk_errors, write_atomic
from kronosforge.core.i18n import tr

SCRIPTS = (
    "prepare_kronos_data_simple.py",
    "prepare_all_models.sh",
    "test_multi_data_preparation.py",
    "full_pipeline.py",
)
FINETUNE = Path("Kronos") / "finetune"


def source() -> Path:
    """The folder that holds the workspace's files: in the wheel beside this module, in a checkout its root.

    Raises KronosForgeError where the installation is broken.
    """
    here = Path(__file__).resolve().parent.parent
    for place in (here / "skeleton_files", here.parent.parent):
        if (place / FINETUNE / "config_default.py").is_file():
            return place
    raise KronosForgeError(
        tr(f"this installation lacks its workspace files in {here}; reinstall kronosforge", f"安装不完整:{here};请重装")
    )


def lay(folder: Path) -> tuple[list[Path], list[Path]]:
    """Copy the workspace into `folder`; returns (written, already there). Nothing that is there is overwritten."""
    place = source()
    names = [
        *(Path(name) for name in SCRIPTS),
        *(p.relative_to(place) for p in sorted((place / FINETUNE).glob("*.py"))),
    ]
    written, kept = [], []
    for name in names:
        target = folder / name
        if target.exists():
            kept.append(name)
            continue
        write_atomic(target, (place / name).read_bytes())
        with disk_errors(target):
            target.chmod((place / name).stat().st_mode & 0o777)
        written.append(name)
    return written, kept
