"""Prove that a finished dataset is whole, readable, counted right and leaks nothing."""

from pathlib import Path
from typing import Any, NamedTuple

from kronosforge.core.errors import DataError
from kronosforge.core.i18n import _
from kronosforge.dataset.verify import Check, verify


class Verification(NamedTuple):
    """The checks of a dataset."""

    folder: Path
    checks: list[Check]

    @property
    def failed(self) -> list[Check]:
        """The checks that do not hold."""
        return [check for check in self.checks if not check.ok]

    def as_json(self) -> dict[str, Any]:
        """What `verify --json` prints."""
        listed = [check._asdict() for check in self.checks]
        return {"dataset": str(self.folder), "ok": not self.failed, "checks": listed}

    def refuse_failures(self) -> None:
        """Raise DataError where a check does not hold."""
        if failed := self.failed:
            count, total, names = len(failed), len(self.checks), ", ".join(check.name for check in failed)
            raise DataError(
                _(
                    "{folder}: {count} of {total} checks failed ({names}); prepare it again with --force",
                    folder=self.folder,
                    count=count,
                    total=total,
                    names=names,
                )
            )


def verify_dataset(folder: Path) -> Verification:
    """Check the dataset in a folder."""
    return Verification(folder, verify(folder))
