"""What a disk or an object store refuses is explained in one sentence."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from cogny_source.destinations.filesystem.errors import explain
from cogny_source.errors import ConfigError, LoadFailed

URL = "s3://growth/cogny"


def refusal(code: str, text: str) -> ClientError:
    """What botocore raises when S3 refuses."""
    return ClientError({"Error": {"Code": code, "Message": text}}, "PutObject")


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (NoCredentialsError(), ConfigError, "no credentials for s3://growth/cogny: set AWS_ACCESS_KEY_ID"),
        (refusal("AccessDenied", "Access Denied"), ConfigError, "may not read, write, list and delete in s3://growth"),
        (refusal("SignatureDoesNotMatch", "The signature differs"), ConfigError, "may not read, write, list"),
        (PermissionError(13, "Permission denied"), ConfigError, "may not read, write, list and delete"),
        (refusal("NoSuchBucket", "The specified bucket does not exist"), ConfigError, "the bucket of s3://growth"),
        (EndpointConnectionError(endpoint_url="http://x"), LoadFailed, "cannot be reached (EndpointConnectionError)"),
    ],
)
def test_refusals_are_explained(error: Exception, kind: type[Exception], sentence: str) -> None:
    """Also where dlt has wrapped them."""
    wrapped = LoadFailed("the destination refused a load: …")
    wrapped.__cause__ = RuntimeError(error)
    told = explain(wrapped, URL)
    assert type(told) is kind
    assert sentence in str(told)


def test_other_failures_are_left_as_they_are() -> None:
    """What is not known keeps its own words."""
    assert explain(LoadFailed("the disk is full"), URL) is None
