"""Certificates and tokens may be replaced under a process that lives."""

import datetime
from math import isnan
from pathlib import Path

import pytest
from cryptography import x509

from chorus.common.errors import ConfigError
from chorus.common.transport.credentials import Credentials, read_credentials
from chorus.common.transport.expiry import expired, expiry, expiry_seconds
from chorus.common.transport.watched import Watched
from chorus.fleet.certs import make, period

OLD, NEW = "an-old-token-of-20-letters", "a-new-token-of-20-letters"


@pytest.mark.parametrize("days", [1, 400, 10_000, 40_000])  # before and after 2050 dates are written in unlike ways
def test_the_end_of_a_certificate_is_read_as_cryptography_reads_it(tmp_path: Path, days: int) -> None:
    make(tmp_path, ["learner.example"], period(days))
    for name in ("ca", "learner", "actor", "metrics"):
        path = tmp_path / f"{name}.pem"
        assert expiry(path) == x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


def test_of_several_certificates_in_a_file_the_first_to_end_counts(tmp_path: Path) -> None:
    for name, days in (("short", 3), ("long", 30)):
        (tmp_path / name).mkdir()
        make(tmp_path / name, [], period(days))
    both = tmp_path / "both.pem"
    both.write_bytes((tmp_path / "long" / "ca.pem").read_bytes() + (tmp_path / "short" / "ca.pem").read_bytes())
    assert expiry(both) == expiry(tmp_path / "short" / "ca.pem")


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.pem"
    path.write_text(text)
    with pytest.raises(ConfigError, match="holds no certificate"):
        expiry(path)
    assert isnan(expiry_seconds(path))


def test_what_has_expired_is_named_with_its_date(tmp_path: Path) -> None:
    today, day = period(1), datetime.timedelta(days=1)
    make(tmp_path, [], today).issue(tmp_path, "late", [], (today[0] - 3 * day, today[0] - day))
    (said,) = expired(iter([tmp_path / "late.pem", tmp_path / "ca.pem"]))
    assert f"late.pem expired on {today[0] - day:%Y-%m-%d}" in said


def test_a_token_file_is_read_anew_and_two_tokens_hold_while_a_fleet_goes_from_one_to_the_other(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{OLD}\n")
    known = read_credentials(None, None, None, path, False, {})
    assert known.accepts(f"Bearer {OLD}") and not known.accepts(f"Bearer {NEW}")
    path.write_text(f"{NEW}\n{OLD}\n")
    assert known.accepts(f"Bearer {OLD}") and known.accepts(f"Bearer {NEW}")
    assert known.call_metadata == (("authorization", f"Bearer {NEW}"),)
    path.write_text(NEW)
    assert not known.accepts(f"Bearer {OLD}") and known.accepts(f"Bearer {NEW}")
    assert not known.accepts("Bearer ") and not known.accepts("")


@pytest.mark.parametrize("broken", ["", "short\n", None])
def test_a_token_file_that_is_none_for_a_moment_lets_nobody_in_who_knows_no_token(
    tmp_path: Path, broken: str | None
) -> None:
    path = tmp_path / "token"
    path.write_text(OLD)
    known = read_credentials(None, None, None, path, False, {})
    path.unlink()
    if broken is not None:
        path.write_text(broken)
    assert known.accepts(f"Bearer {OLD}")
    assert not known.accepts("") and not known.accepts("Bearer short")


def test_a_file_replaced_by_another_of_the_same_size_and_time_is_a_change(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("old")
    watched = Watched([path])
    assert not watched.changed()
    other.write_text("new")
    other.replace(path)
    assert watched.changed() and not watched.changed()
    path.unlink()
    assert watched.changed() and not watched.changed()


def test_the_web_servers_context_is_made_anew_when_both_files_are_there(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        make(tmp_path / name, ["localhost"], period(1))
    for file in ("learner.pem", "learner-key.pem"):
        (tmp_path / file).write_bytes((tmp_path / "old" / file).read_bytes())
    current = Credentials(None, tmp_path / "learner.pem", tmp_path / "learner-key.pem").for_web_server()
    assert current is not None
    first = current()
    assert current() is first
    (tmp_path / "learner.pem").write_bytes((tmp_path / "new" / "learner.pem").read_bytes())
    assert current() is first, "a new certificate beside the old key is no pair"
    (tmp_path / "learner-key.pem").write_bytes((tmp_path / "new" / "learner-key.pem").read_bytes())
    assert current() is not first
