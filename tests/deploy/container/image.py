"""The Dockerfile's steps, as they stand there, in roots that stand for the images."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from tests.deploy.container.dockerfile import Stage, Step, read_dockerfile, sent_files
from tests.deploy.container.root import Container, copy_root, make_base, network_mounts, pip_variables

# What an engine sets before the first ENV.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Image:
    """What a stage left.

    Attributes:
        root: The file system.
        stage: What made it.
        variables: Those of ENV.
        workdir: Of the last WORKDIR.
        user: Of USER; root where empty.
    """

    root: Path
    stage: Stage
    variables: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    workdir: str = "/"
    user: str = ""

    def container(self, data: Path, *, user: str = "", **variables: str) -> Container:
        """A container with a read-only root and a volume."""
        return Container(
            self.root,
            {**self.variables, **variables},
            self.workdir,
            user or self.user,
            {self.stage.last("VOLUME").text: data},
            read_only=True,
        )

    def make_volume(self, folder: Path) -> Path:
        """A new volume, which an engine fills with what the image has in its place, owner and mode included."""
        place = self.root / self.stage.last("VOLUME").text.lstrip("/")
        subprocess.run(["cp", "--archive", str(place), str(folder)], check=True)
        return folder


def build(project: Path, folder: Path) -> Image:
    """Run all stages; the last one's image is the result.

    Args:
        project: The folder of the Dockerfile.
        folder: An empty folder for the roots.

    Raises:
        RuntimeError: If a step fails.
    """
    context = folder / "context"
    for path in sent_files(project, (project / ".dockerignore").read_text()):
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project / path, context / path)
    images: dict[str, Image] = {}
    for stage in read_dockerfile((project / "Dockerfile").read_text()):
        base = folder / stage.base.replace(":", "-")
        if not base.exists():
            make_base(stage.base, base)
        image = Image(folder / stage.name, stage)
        copy_root(base, image.root)
        for step in stage.steps:
            _take(step, image, context, images)
        images[stage.name] = image
    return image


def _take(step: Step, image: Image, context: Path, images: Mapping[str, Image]) -> None:
    """Do what one instruction says."""
    if step.name == "RUN":
        _run(step, image)
    elif step.name == "COPY":
        source, paths = context, step.words
        if paths[0].startswith("--from="):
            source, paths = images[paths[0].removeprefix("--from=")].root, paths[1:]
        _copy(source, paths[:-1], image.root / str(Path(image.workdir, paths[-1])).lstrip("/"))
    elif step.name == "ENV":
        image.variables |= {name: Template(value).substitute(image.variables) for name, value in step.pairs.items()}
    elif step.name == "WORKDIR":
        image.workdir = step.text
        (image.root / step.text.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif step.name == "USER":
        image.user = step.text


def _run(step: Step, image: Image) -> None:
    print(f"RUN {step.text}", flush=True)
    variables = {**image.variables, **pip_variables()}
    builder = Container(image.root, variables, image.workdir, image.user, network_mounts(image.root))
    done = builder.run("/bin/sh", "-c", step.text)
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {done.stdout}{done.stderr}")


def _copy(source: Path, paths: list[str], place: Path) -> None:
    """Copy as COPY does: what is in a folder, and a file under its name."""
    place.mkdir(parents=True, exist_ok=True)
    for path in paths:
        origin = source / path.lstrip("/")
        if origin.is_dir():
            shutil.copytree(origin, place, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(origin, place / origin.name)
