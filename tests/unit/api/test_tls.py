"""TLS: what the environment says of certificates, and failures that are told apart."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from cogny_source.api.http_client import HttpClient
from cogny_source.api.meter import Meter
from cogny_source.api.session import CERTIFICATE_FILES
from cogny_source.api.tls import find_distrust
from cogny_source.cli.exits import EXIT_USAGE, exit_code
from cogny_source.errors import ConfigError, Untrusted
from tests.support.certificates import DAY, Authority
from tests.support.wire import Wire, answer

Made = Callable[..., HttpClient]

UNKNOWN = (
    "the certificate of base_url's host is signed by nobody whom this machine knows: behind a proxy that looks into"
    " TLS, or with an authority of your own, name the file of its certificate in REQUESTS_CA_BUNDLE or SSL_CERT_FILE"
)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment say nothing of certificates."""
    for name in CERTIFICATE_FILES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that this machine does not know."""
    return Authority(tmp_path)


def serve(context: ssl.SSLContext) -> Wire:
    """A server that answers every request with an empty list."""
    return Wire(lambda line, _: line.sendall(answer([])), context)


@pytest.mark.parametrize("name", CERTIFICATE_FILES[:3])
def test_each_variable_names_the_authority(
    authority: Authority, make_client: Made, meter: Meter, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A server that it signed for is trusted."""
    monkeypatch.setenv(name, str(authority.file))
    with serve(authority.serve("127.0.0.1")) as wire:
        assert make_client(wire.base_url).get("/tickets", {}, meter).data == []


def test_the_first_variable_counts(
    authority: Authority, make_client: Made, meter: Meter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What requests heeds comes before what OpenSSL heeds; one that is empty says nothing."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
    monkeypatch.setenv("CURL_CA_BUNDLE", str(authority.file))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing.pem"))
    with serve(authority.serve("127.0.0.1")) as wire:
        assert make_client(wire.base_url).get("/tickets", {}, meter).data == []


@pytest.mark.parametrize(
    ("host", "begins", "ends", "known", "told"),
    [
        ("127.0.0.1", -DAY, DAY, False, UNKNOWN),
        (
            "127.0.0.1",
            -2 * DAY,
            -DAY,
            True,
            "the certificate of base_url's host has expired: check this machine's clock, else tell the API's operators",
        ),
        (
            "127.0.0.1",
            DAY,
            2 * DAY,
            True,
            "the certificate of base_url's host is not valid yet: check this machine's clock",
        ),
        (
            "api.cogny.example",
            -DAY,
            DAY,
            True,
            "the certificate is not that of base_url's host: check base_url, and the proxy",
        ),
        (
            "127.0.0.2",
            -DAY,
            DAY,
            True,
            "the certificate is not that of base_url's host: check base_url, and the proxy",
        ),
    ],
    ids=["unknown", "expired", "early", "name", "address"],
)
def test_failures_of_trust_are_told_apart_and_final(
    authority: Authority,
    make_client: Made,
    meter: Meter,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    begins: timedelta,
    ends: timedelta,
    known: bool,
    told: str,
) -> None:
    """One request, one sentence that says what to mend, and the exit code of a setting."""
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with serve(authority.serve(host, begins=begins, ends=ends)) as wire, pytest.raises(Untrusted) as caught:
        make_client(wire.base_url).get("/tickets", {}, meter)
    assert (caught.value.message, wire.heads, meter) == (told, [], Meter(requests=1))
    assert exit_code(caught.value) == EXIT_USAGE


def test_other_reasons_are_told_in_openssls_words() -> None:
    """A certificate may fail in forty ways; one that is not named here is still final."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = 26, "unsuitable certificate\x1b purpose"
    assert (
        find_distrust(error) == r"the certificate of base_url's host proves nothing: unsuitable certificate\x1b purpose"
    )


@pytest.mark.parametrize(
    "error", [ssl.SSLError(1, "bad record mac"), ssl.SSLEOFError(8, "EOF occurred"), OSError("reset"), ValueError()]
)
def test_failures_that_may_pass_are_no_distrust(error: Exception) -> None:
    """A connection that breaks off within TLS is asked for again."""
    assert find_distrust(error) is None


@pytest.mark.parametrize("name", CERTIFICATE_FILES)
@pytest.mark.parametrize("kind", ["missing", "no-certificate"])
def test_a_variable_that_names_no_certificates_is_refused(
    make_client: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, kind: str
) -> None:
    """Before the first request, by the variable's name; http needs none."""
    file = tmp_path / "bundle.pem"
    if kind == "no-certificate":
        file.write_text("no certificate")
    monkeypatch.setenv(name, str(file))
    told = (
        "a file of certificates that is not there"
        if kind == "missing"
        else "a file in which no certificates can be read"
    )
    with pytest.raises(ConfigError) as caught:
        make_client("https://api.cogny.example/v1")
    assert caught.value.message == f"{name} names {told}: {file}"
    make_client("http://127.0.0.1:1/v1")
