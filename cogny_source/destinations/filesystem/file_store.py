"""The files of a folder, and how new files replace old ones."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from filelock import FileLock
from fsspec import AbstractFileSystem

from cogny_source.errors import ConfigError

logger = logging.getLogger(__name__)

SUFFIX = ".parquet"
LOCK = ".lock"
CURRENT = ".current"
SNAPSHOTS = ".snapshots"
# The current one, and the previous one for readers that still have its files open.
KEPT_SNAPSHOTS = 2
# The errors of fsync for a folder on SMB and other network shares.
NOT_SUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)
SNAPSHOT_NAME = re.compile(r"\d{8,}")


class Draft(ABC):
    """Changes to the files, invisible to readers until they are committed."""

    @abstractmethod
    def path(self, table: str, file: str) -> Path:
        """The path at which to write a new or replaced file; write it once."""

    @abstractmethod
    def remove(self, table: str, file: str) -> None:
        """Remove a file."""


class Store(ABC):
    """The files of each table."""

    @abstractmethod
    def files(self, table: str) -> dict[str, str]:
        """File name to the path by which DuckDB reads it; empty if the table does not exist."""

    @abstractmethod
    def draft(self) -> AbstractContextManager[Draft]:
        """A draft that is committed at the end of the block, or discarded if the block raises."""


class SnapshotStore(Store):
    """A local folder: each commit makes a snapshot of all tables, and activates it by renaming one link.

    `<root>/tickets` links to `.current/tickets`, and `.current` to `.snapshots/<number>`. Unchanged files are hard
    links to the same file.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._snapshots = root / SNAPSHOTS
        self._current = root / CURRENT

    def files(self, table: str) -> dict[str, str]:
        """File name to path in the current snapshot, which exists until the second commit from now."""
        if not self._current.exists():
            return {}
        folder = self._current.resolve() / table
        return {path.name: str(path) for path in sorted(folder.glob(f"*{SUFFIX}"))}

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """A draft that is committed at the end of the block.

        Raises:
            ConfigError: If another file or folder has the name of a table.
        """
        self._snapshots.mkdir(parents=True, exist_ok=True)
        current = self._current.resolve() if self._current.exists() else None
        number = 0 if current is None else int(current.name)
        # A killed commit leaves drafts and snapshots without a link.
        unseen = [path for path in self._list_snapshots() if int(path.name) > number]
        for left in [*self._snapshots.glob("*.draft"), *unseen]:
            shutil.rmtree(left)
        folder = self._snapshots / f"{number + 1:08d}.draft"
        if current is None:
            folder.mkdir()
        else:
            shutil.copytree(current, folder, copy_function=_link)
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
            _make_way(self._root / table)
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
        """A path beside the file: writing to the file itself would change every snapshot that links to it."""
        final = self._folder / table / file
        final.parent.mkdir(exist_ok=True)
        self._new[final] = final.with_suffix(".new")
        return self._new[final]

    def remove(self, table: str, file: str) -> None:
        """Remove the link to a file."""
        (self._folder / table / file).unlink()

    def flush(self) -> None:
        """Move the new files to their final paths, and flush files and folders to the disk."""
        for final, written in self._new.items():
            with written.open("rb") as file:
                os.fsync(file.fileno())
            written.replace(final)
        for folder in {path.parent for path in self._new}:
            _sync_folder(folder)
        _sync_folder(self._folder)


class FileStore(Store):
    """Replaces files one after the other, each atomically, and then removes files."""

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """A draft whose files are moved to their places at the end of the block, in the order of their creation."""
        with tempfile.TemporaryDirectory(prefix="cogny-") as folder:
            draft = _FileDraft(Path(folder))
            yield draft
            for place, path in draft.new.items():
                self._put(path, place)
            for place in draft.removed:
                self._remove(place)

    @abstractmethod
    def _put(self, path: Path, place: str) -> None:
        """Move a local file to its place, `<table>/<file>`."""

    @abstractmethod
    def _remove(self, place: str) -> None:
        """Remove a file."""


class _FileDraft(Draft):
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.new: dict[str, Path] = {}
        self.removed: list[str] = []

    def path(self, table: str, file: str) -> Path:
        """A local path for a file, which is then no longer to be removed."""
        place = f"{table}/{file}"
        if place in self.removed:
            self.removed.remove(place)
        self.new[place] = self._folder / f"{len(self.new)}{SUFFIX}"
        return self.new[place]

    def remove(self, table: str, file: str) -> None:
        """Remove a file at the commit."""
        self.removed.append(f"{table}/{file}")


class ObjectStore(FileStore):
    """A prefix in an object store.

    Args:
        filesystem: The file system.
        root: The prefix, with a slash at its end.
        scheme: The prefix of a path in a URL, such as `s3://`.
    """

    def __init__(self, filesystem: AbstractFileSystem, root: str, scheme: str) -> None:
        self._filesystem = filesystem
        self._root = root
        self._scheme = scheme

    def files(self, table: str) -> dict[str, str]:
        """File name to URL."""
        try:
            paths = self._filesystem.ls(f"{self._root}{table}", detail=False, refresh=True)
        except FileNotFoundError:
            return {}
        names = {PurePosixPath(path).name: f"{self._scheme}{path}" for path in sorted(paths)}
        return {name: path for name, path in names.items() if name.endswith(SUFFIX)}

    def _put(self, path: Path, place: str) -> None:
        self._filesystem.put_file(str(path), f"{self._root}{place}")

    def _remove(self, place: str) -> None:
        self._filesystem.rm_file(f"{self._root}{place}")


class PlainStore(FileStore):
    """A local folder on a file system without symbolic links.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def files(self, table: str) -> dict[str, str]:
        """File name to path."""
        return {path.name: str(path) for path in sorted((self._root / table).glob(f"*{SUFFIX}"))}

    def _put(self, path: Path, place: str) -> None:
        target = self._root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        # Readers of a folder ignore names that begin with a dot.
        written = shutil.copyfile(path, target.with_name(f".{target.name}.new"))
        with written.open("rb") as file:
            os.fsync(file.fileno())
        written.replace(target)
        _sync_folder(target.parent)

    def _remove(self, place: str) -> None:
        (self._root / place).unlink()


def open_local_store(root: Path, tables: list[str]) -> Store:
    """The store of a local folder: snapshots if its file system has links and no table is a plain folder yet."""
    plain = [table for table in tables if (root / table).is_dir() and not (root / table).is_symlink()]
    if (root / CURRENT).is_symlink() or (not plain and _takes_links(root)):
        return SnapshotStore(root)
    return PlainStore(root)


def check_places(root: Path, tables: Iterable[str]) -> None:
    """Refuse a local folder in which another file or folder has the name of a table.

    Raises:
        ConfigError: If there is one.
    """
    snapshots = (root / CURRENT).is_symlink()
    for table in tables:
        if snapshots or not (root / table).is_dir():
            _make_way(root / table)


def find_local_folder(url: str) -> Path | None:
    """The folder of a path or a `file://` URL; None for any other URL."""
    scheme, _, path = url.rpartition("://")
    if scheme == "file":
        return Path(unquote(path))
    return None if scheme else Path(url)


def _takes_links(root: Path) -> bool:
    root.mkdir(parents=True, exist_ok=True)
    probe = root / ".probe"
    try:
        probe.unlink(missing_ok=True)
        probe.symlink_to(SNAPSHOTS)
        probe.unlink()
    except OSError:
        logger.warning("%s has no symbolic links: files are replaced one by one, not all of a load at once", root)
        return False
    return True


def _make_way(place: Path) -> None:
    if place.exists() and not place.is_symlink():
        raise ConfigError(f"{place} is in the way of the table {place.name}: name another folder")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _replace_link(link: Path, target: PurePosixPath) -> None:
    """Point a link to another target, atomically."""
    fresh = link.with_name(f"{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def _sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, if its file system supports that: network shares often do not."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        _warn_unsynced(os.fstat(handle).st_dev)
    finally:
        os.close(handle)


@cache
def _warn_unsynced(device: int) -> None:
    """Warn once per process and file system."""
    logger.warning("the file system (device %d) cannot flush a folder: a power cut may undo the last load", device)


def make_lock(folder: Path) -> FileLock:
    """The lock that a process holds while it writes into a local folder; reentrant within a thread."""
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / LOCK, timeout=0, is_singleton=True)
