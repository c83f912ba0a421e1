"""`chorus certs DIR`: an authority and three certificates for mutual TLS, for development and small fleets.

ca.pem, ca-key.pem            the authority; its key is needed only to make more certificates: keep it elsewhere
learner.pem, learner-key.pem  for the learner: it names the hosts where actors find it; also good for an actor beside it
actor.pem, actor-key.pem      for all actors
metrics.pem, metrics-key.pem  for who asks for metrics, such as Prometheus

Each names its role (`common/transport/role.py`), and none may do what another is for: only a learner's certificate is
one for serving at a learner's hosts, and only an actor's may play, but for the learner's own actors on its machine.
"""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chorus.common.errors import ConfigError
from chorus.common.transport.role import role_uri

HOSTS = ("localhost", "127.0.0.1", "::1")
NAMES = ("ca", "learner", "actor", "metrics")
CLOCK_SKEW = datetime.timedelta(minutes=5)
WEEK = datetime.timedelta(weeks=1)

Key = ec.EllipticCurvePrivateKey
Period = tuple[datetime.datetime, datetime.datetime]


def make_certificates(options: argparse.Namespace) -> int:
    """Make them; files that are there already are never overwritten, unless they are to be renewed."""
    folder: Path = options.dir
    shared = {*HOSTS, *options.host} & set(options.metrics_host)
    if shared:
        raise ConfigError(
            f"--metrics-host {min(shared)} is a host of the learner: with a certificate for it an actor could pose as"
            " the learner; give actors a name of their own"
        )
    folder.mkdir(parents=True, exist_ok=True)
    there = [name for name in NAMES if (folder / f"{name}.pem").exists()]
    if there and options.renew:
        if _hold(folder):
            print(f"the certificates in {folder} hold for another week and more")
            return 0
        for name in NAMES:
            for file in (folder / f"{name}.pem", folder / f"{name}-key.pem"):
                file.unlink(missing_ok=True)
    elif there:
        raise ConfigError(f"{folder} holds {there[0]}.pem already; choose another folder, or take the old ones away")
    make(folder, [*HOSTS, *options.host], period(options.days), options.metrics_host)
    if options.group:
        for key in folder.glob("*-key.pem"):
            key.chmod(0o600 if key.name == "ca-key.pem" else 0o640)
    print(f"learner: --tls-cert {folder}/learner.pem --tls-key {folder}/learner-key.pem --tls-ca {folder}/ca.pem")
    print(f"actor:   --tls-cert {folder}/actor.pem --tls-key {folder}/actor-key.pem --tls-ca {folder}/ca.pem")
    print(f"keep {folder}/ca-key.pem to yourself")
    return 0


def period(days: int) -> Period:
    """From now, less what clocks may differ by, for so many days."""
    now = datetime.datetime.now(datetime.UTC)
    return now - CLOCK_SKEW, now + datetime.timedelta(days=days)


def _hold(folder: Path) -> bool:
    """Whether all certificates are there and hold for another week."""
    soon = datetime.datetime.now(datetime.UTC) + WEEK
    try:
        read = [x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes()) for name in NAMES]
    except (OSError, ValueError):
        return False
    return all(certificate.not_valid_after_utc > soon for certificate in read)


def make(folder: Path, hosts: list[str], valid: Period, metrics_hosts: Sequence[str] = ()) -> Authority:
    """Write an authority, a learner's certificate for `hosts`, an actor's that serves metrics as `metrics_hosts`, and
    one for who asks for metrics; return the authority."""
    authority = Authority.found(folder, valid)
    authority.issue(folder, "learner", hosts, valid)
    authority.issue(folder, "actor", metrics_hosts, valid)
    authority.issue(folder, "metrics", [], valid)
    return authority


@dataclass(frozen=True)
class Authority:
    """Who signs certificates."""

    certificate: x509.Certificate
    key: Key

    @staticmethod
    def found(folder: Path, valid: Period) -> Authority:
        """Make a new one, and write its certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Chorus development authority")
        certificate = (
            _begin(name, name, key, valid)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(folder, "ca", certificate, key)
        return Authority(certificate, key)

    def issue(self, folder: Path, who: str, hosts: Sequence[str], valid: Period) -> None:
        """Make a certificate, and write it and its key; one with hosts may serve, any may call."""
        key = ec.generate_private_key(ec.SECP256R1())
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = (
            _begin(_name(f"Chorus {who}"), self.certificate.subject, key, valid)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        names = [x509.UniformResourceIdentifier(role_uri(who)), *map(_host, hosts)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        _write(folder, who, builder.sign(self.key, hashes.SHA256()), key)


def _begin(subject: x509.Name, issuer: x509.Name, key: Key, valid: Period) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(folder: Path, name: str, certificate: x509.Certificate, key: Key) -> None:
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor = os.open(folder / f"{name}-key.pem", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(private)
