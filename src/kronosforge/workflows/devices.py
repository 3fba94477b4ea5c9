"""The device of this machine."""

from kronosforge.model.devices import choose


def default_device() -> str:
    """What `device="auto"` means here: `cuda:0`, `mps` or `cpu`."""
    return str(choose("auto"))
