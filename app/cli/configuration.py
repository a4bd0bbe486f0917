"""Settings for a command: read once, warnings told, every fault named."""

import os
from pathlib import Path
from typing import Any

from app.cli import output
from app.cli.failure import CommandError, ExitCode
from app.settings import Settings, SettingsError, load_settings, near_misses


def read_settings(**given: Any) -> Settings:
    """Return the settings, what is `given` first; exit code 78 where the environment cannot be used."""
    for warning in near_misses(os.environ):
        output.note(f"warning: {warning}")
    try:
        return load_settings(**given)
    except SettingsError as error:
        raise CommandError(str(error), ExitCode.CONFIGURATION) from None


def default_data_dir() -> Path:
    """Return where the embedded MongoDB keeps its files unless told otherwise."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "entitled" / "mongodb"
