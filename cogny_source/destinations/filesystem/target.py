"""A folder, or a prefix in an object store, as a target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from cogny_source.destinations.filesystem.errors import check_delta_path, explain
from cogny_source.destinations.filesystem.file_store import find_local_folder
from cogny_source.destinations.target import Target, check_dataset, check_text
from cogny_source.errors import ConfigError, LoadFailed
from cogny_source.installation import check_installed

SCRATCH = ".cogny_scratch"
# URL scheme to the module that reads it, and the extra that installs the module.
FILE_SYSTEMS = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gs")}


def make_folder_target(bucket_url: str, dataset: str | None, table_format: Literal["parquet", "delta"]) -> Target:
    """A folder as a target.

    Args:
        bucket_url: A local folder, `s3://…` or `gs://…`.
        dataset: A subfolder; None for the folder itself.
        table_format: The format of its tables.

    Raises:
        ConfigError: If the URL is invalid, or a library that it needs is not installed.
    """
    url = _find_url(bucket_url)
    check_text("--bucket-url", url)
    if dataset is not None:
        check_dataset(dataset)
        url = f"{url}/{dataset}"
    if table_format == "delta":
        check_installed("deltalake", "deltalake", "delta")
        check_delta_path(url)
    if Path(url).exists() and not Path(url).is_dir():
        raise ConfigError(f"--bucket-url {bucket_url} is a file: name a folder")

    def make() -> Any:
        from cogny_source.destinations.filesystem.dlt_client import open_folder

        return open_folder(url, table_format)

    return Target(
        make,
        "cogny_data",  # names the views of dlt's SQL client; the folder itself is the dataset
        identity=f"{url} {table_format}",
        world=Path(f"{url}.sandbox.json") if find_local_folder(url) else None,
        explain=lambda error: explain(error, url),
        probe=lambda: probe(make(), url),
        is_there=lambda: find_local_folder(url) is None or Path(url).is_dir(),
    )


def probe(destination: Any, url: str) -> Iterator[str]:
    """Write, replace, list, read and delete a file.

    Yields:
        A line, if all that works.

    Raises:
        CognyError: If it fails.
    """
    from dlt.common.configuration.exceptions import ConfigurationException
    from dlt.common.destination.exceptions import DestinationException

    from cogny_source.destinations.filesystem.dlt_client import make_client
    from cogny_source.destinations.filesystem.errors import raising_os_errors

    try:
        with raising_os_errors():
            client = make_client(destination)
            client.check_folder()
            texts = _try_files(client)
    except (OSError, DestinationException, ConfigurationException) as exc:
        raise explain(exc, url) or LoadFailed(f"{url} cannot be used: {exc}") from exc
    if texts != ["second"]:
        raise LoadFailed(f"{url} returned {texts} for a file that was just replaced: it does not show newest files")
    yield f"{url}: files can be written, replaced, listed, read and deleted"


def _try_files(client: Any) -> list[str]:
    """Write a file twice, and return the texts of all files in its folder."""
    folder = client.pathlib.join(client.dataset_path, SCRATCH)
    path = client.pathlib.join(folder, "file.txt")
    files = client.fs_client
    if client.is_local_filesystem:
        files.makedirs(folder, exist_ok=True)
    for text in ("first", "second"):
        files.write_text(path, text)
    texts = [files.read_text(name) for name in files.ls(folder, detail=False)]
    files.rm_file(path)
    if client.is_local_filesystem:
        files.rmdir(folder)
    return texts


def _find_url(bucket_url: str) -> str:
    """The absolute path of a local folder, or the URL of a prefix in a bucket."""
    scheme, mark, rest = bucket_url.partition("://")
    scheme = scheme.lower()
    if not mark or scheme == "file":
        folder = find_local_folder(f"file://{rest}" if mark else bucket_url)
        return str(Path(folder or "").expanduser().resolve())
    if scheme not in FILE_SYSTEMS or not rest.strip("/"):
        raise ConfigError(f"--bucket-url is {bucket_url!r}; name a folder, s3://BUCKET/... or gs://BUCKET/...")
    module, extra = FILE_SYSTEMS[scheme]
    check_installed(module, module, extra)
    return f"{scheme}://{rest.rstrip('/')}"
