"""Where the files of a folder lie, and how new ones take the place of old ones."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath

from fsspec import AbstractFileSystem

from cogny_source.errors import ConfigError

logger = logging.getLogger(__name__)

SUFFIX = ".parquet"
CURRENT = ".current"
SNAPSHOTS = ".snapshots"
# The present one, and the one before it for readers that still have its files open.
KEPT_SNAPSHOTS = 2
SNAPSHOT_NAME = re.compile(r"\d{8,}")


class Draft(ABC):
    """New files, unseen until they are committed."""

    @abstractmethod
    def path(self, table: str, file: str) -> Path:
        """Where to write a file that is new or takes another's place; to be written once."""

    @abstractmethod
    def remove(self, table: str, file: str) -> None:
        """Leave a file out."""


class Store(ABC):
    """The files of each table."""

    @abstractmethod
    def files(self, table: str) -> dict[str, str]:
        """File name to the path that DuckDB reads it by; empty where the table is not there."""

    @abstractmethod
    def draft(self) -> AbstractContextManager[Draft]:
        """A context: a draft that is committed at its end, and let go where that raises."""


class SnapshotStore(Store):
    """A local folder: each state of all tables is a snapshot, and one rename of a link leads to the next.

    `<root>/tickets` links to `.current/tickets`, and `.current` to `.snapshots/<number>`. Files that did not change
    are hard links of one file.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._snapshots = root / SNAPSHOTS
        self._current = root / CURRENT

    def files(self, table: str) -> dict[str, str]:
        """File name to path, within the present snapshot, which stays for the time of one more commit."""
        if not self._current.exists():
            return {}
        folder = self._current.resolve() / table
        return {path.name: str(path) for path in sorted(folder.glob(f"*{SUFFIX}"))}

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """A draft that is committed at the block's end.

        Raises:
            ConfigError: If something else stands where a table belongs.
        """
        self._snapshots.mkdir(parents=True, exist_ok=True)
        for left in self._snapshots.glob("*.draft"):
            shutil.rmtree(left)
        number = max((int(path.name) for path in self._list_snapshots()), default=0) + 1
        folder = self._snapshots / f"{number:08d}.draft"
        if self._current.exists():
            shutil.copytree(self._current.resolve(), folder, copy_function=_link)
        else:
            folder.mkdir()
        try:
            draft = _SnapshotDraft(folder)
            yield draft
            draft.flush()
            self._commit(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _commit(self, folder: Path) -> None:
        tables = sorted(path.name for path in folder.iterdir())
        for table in tables:
            place = self._root / table
            if place.exists() and not place.is_symlink():
                raise ConfigError(f"{place} is in the way of the table {table}: name another folder")
        snapshot = folder.with_suffix("")
        folder.rename(snapshot)
        _sync_folder(self._snapshots)
        _replace_link(self._current, PurePosixPath(SNAPSHOTS, snapshot.name))
        for table in tables:
            if not (self._root / table).is_symlink():
                _replace_link(self._root / table, PurePosixPath(CURRENT, table))
        _sync_folder(self._root)
        for old in self._list_snapshots()[:-KEPT_SNAPSHOTS]:
            shutil.rmtree(old)

    def _list_snapshots(self) -> list[Path]:
        return sorted(path for path in self._snapshots.iterdir() if SNAPSHOT_NAME.fullmatch(path.name))


class _SnapshotDraft(Draft):
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._new: dict[Path, Path] = {}

    def path(self, table: str, file: str) -> Path:
        """A path beside the file: writing to the file itself would change it in every snapshot that links to it."""
        final = self._folder / table / file
        final.parent.mkdir(exist_ok=True)
        self._new[final] = final.with_suffix(".new")
        return self._new[final]

    def remove(self, table: str, file: str) -> None:
        """Leave a file out."""
        (self._folder / table / file).unlink()

    def flush(self) -> None:
        """Put the new files in their places, and all of it on the disk."""
        for final, written in self._new.items():
            with written.open("rb") as file:
                os.fsync(file.fileno())
            written.replace(final)
        for folder in {path.parent for path in self._new}:
            _sync_folder(folder)
        _sync_folder(self._folder)


class ObjectStore(Store):
    """An object store, or a local folder without links: each file is replaced in one step, one after the other.

    Args:
        filesystem: The file system.
        root: The folder in it, as the file system names it, with a slash at its end.
        scheme: What DuckDB puts before a path, such as `s3://`.
    """

    def __init__(self, filesystem: AbstractFileSystem, root: str, scheme: str) -> None:
        self._filesystem = filesystem
        self._root = root
        self._scheme = scheme

    def files(self, table: str) -> dict[str, str]:
        """File name to path."""
        try:
            paths = self._filesystem.ls(f"{self._root}{table}", detail=False, refresh=True)
        except FileNotFoundError:
            return {}
        names = {PurePosixPath(path).name: f"{self._scheme}{path}" for path in sorted(paths)}
        return {name: path for name, path in names.items() if name.endswith(SUFFIX)}

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """A draft whose files are put in their places at the block's end, in the order they were made."""
        with tempfile.TemporaryDirectory(prefix="cogny-") as folder:
            draft = _ObjectDraft(Path(folder))
            yield draft
            for place, path in draft.new.items():
                self._put(path, place)
            for place in draft.removed:
                self._filesystem.rm_file(f"{self._root}{place}")

    def _put(self, path: Path, place: str) -> None:
        target = f"{self._root}{place}"
        if self._scheme:
            self._filesystem.put_file(str(path), target)
            return
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        written = shutil.copyfile(path, f"{target}.new")
        with open(written, "rb") as file:
            os.fsync(file.fileno())
        os.replace(written, target)


class _ObjectDraft(Draft):
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.new: dict[str, Path] = {}
        self.removed: list[str] = []

    def path(self, table: str, file: str) -> Path:
        """A local path."""
        self.new[f"{table}/{file}"] = self._folder / f"{len(self.new)}{SUFFIX}"
        return self.new[f"{table}/{file}"]

    def remove(self, table: str, file: str) -> None:
        """Leave a file out."""
        self.removed.append(f"{table}/{file}")


def open_local_store(root: Path, tables: list[str]) -> Store:
    """The store of a local folder: snapshots, where its file system has links and the tables are no plain folders."""
    plain = [table for table in tables if (root / table).is_dir() and not (root / table).is_symlink()]
    if (root / CURRENT).is_symlink() or (not plain and _takes_links(root)):
        return SnapshotStore(root)
    from fsspec.implementations.local import LocalFileSystem

    return ObjectStore(LocalFileSystem(), f"{root.as_posix()}/", "")


def _takes_links(root: Path) -> bool:
    root.mkdir(parents=True, exist_ok=True)
    probe = root / ".probe"
    try:
        probe.unlink(missing_ok=True)
        probe.symlink_to(SNAPSHOTS)
        probe.unlink()
    except OSError:
        logger.warning("%s takes no symbolic links: each file is replaced in one step, but not all of them", root)
        return False
    return True


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _replace_link(link: Path, target: PurePosixPath) -> None:
    """Point a link elsewhere, in one step."""
    fresh = link.with_name(f"{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
