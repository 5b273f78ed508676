"""Certificates that tests make for themselves."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
# OpenSSL's strict checks, which Python 3.13 and later turn on, ask for it.
_MAY_SIGN = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """An authority of its own that signs certificates for servers.

    Args:
        folder: Where its files are kept; two of one folder are the same.

    Attributes:
        file: Its certificate.
    """

    def __init__(self, folder: Path) -> None:
        """Make key and certificate, once a folder."""
        self._folder = folder
        self.file = folder / "authority.pem"
        key_file = folder / "authority.key"
        if not self.file.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            builder = _begin("Authority", key.public_key()).issuer_name(_name("Authority"))
            builder = builder.not_valid_before(_now() - DAY).not_valid_after(_now() + DAY)
            identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            builder = builder.add_extension(identifier, critical=False)
            builder = builder.add_extension(_MAY_SIGN, critical=True)
            self.file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
            key_file.write_bytes(_pem(key))
        self._certificate = x509.load_pem_x509_certificate(self.file.read_bytes())
        self._key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(self._key, ec.EllipticCurvePrivateKey)

    def serve(self, host: str, *, begins: timedelta = -DAY, ends: timedelta = DAY) -> ssl.SSLContext:
        """What a server of that host speaks TLS with; its certificate is valid between two times from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _begin(host, key.public_key()).issuer_name(self._certificate.subject)
        builder = builder.not_valid_before(_now() + begins).not_valid_after(_now() + ends)
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._certificate.public_key())  # type: ignore[arg-type]
        certificate = builder.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())  # type: ignore[arg-type]
        file = self._folder / "server.pem"
        file.write_bytes(_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _begin(name: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(subject_name=_name(name), public_key=key, serial_number=x509.random_serial_number())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _now() -> datetime:
    return datetime.now(UTC)
