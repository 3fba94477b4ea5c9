"""The workspace: its folders, its config files, and where each setting comes from.

`ConfigManager` is imported when it is first used, so that listing the configs stays as fast as `--help`.
"""


def __getattr__(name: str) -> object:
    if name != "ConfigManager":
        raise AttributeError(f"module 'kronosforge.workspace' has no attribute {name!r}")
    from kronosforge.workspace.loading import ConfigManager  # noqa: PLC0415 - loads pydantic

    return ConfigManager
