"""Copies the dbt package out, as a project that dbt can build by itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from cogny_source.errors import ConfigError
from cogny_source.models.project import FOLDER


def copy_project(folder: Path, dataset: str, profile: Mapping[str, object]) -> None:
    """Copy the package into a new folder, with a profile for one destination.

    Args:
        folder: The folder, which must not exist or be empty.
        dataset: The dataset of the loaded tables.
        profile: The output of dbt's profile, such as its `type` and `path`.

    Raises:
        ConfigError: If the folder has something in it, or cannot be written.
    """
    try:
        if folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty: name a new folder")
        shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
        settings = folder / "dbt_project.yml"
        text = settings.read_text("utf-8").replace("cogny_schema: cogny_data ", f"cogny_schema: {dataset} ")
        settings.write_text(text, "utf-8")
        output = "".join(f"      {name}: {json.dumps(value)}\n" for name, value in profile.items())
        (folder / "profiles.yml").write_text(f"cogny:\n  target: main\n  outputs:\n    main:\n{output}", "utf-8")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}") from error
