"""What may be said in clear text, and who knows the token."""

from pathlib import Path

import pytest

from chorus.common.errors import ConfigError
from chorus.common.transport.credentials import NOTHING, Credentials, is_loopback, read_credentials, refuse_clear_text

TOKEN = "correct-horse-battery-staple"


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1:1", True),
        ("127.8.8.8:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("unix:/tmp/chorus", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("localhost.example:1", False),
        ("127.0.0.1.example:1", False),
        (":1", False),
        ("", False),
    ],
)
def test_which_addresses_never_leave_this_machine(address: str, here: bool) -> None:
    assert is_loopback(address) is here


def test_clear_text_beyond_this_machine_must_be_asked_for() -> None:
    with pytest.raises(ConfigError, match="beyond this machine"):
        refuse_clear_text("10.0.0.1:1", tls=False, credentials=NOTHING)
    refuse_clear_text("10.0.0.1:1", tls=True, credentials=NOTHING)
    refuse_clear_text("10.0.0.1:1", tls=False, credentials=Credentials(insecure=True))
    refuse_clear_text("127.0.0.1:1", tls=False, credentials=NOTHING)


def test_the_token_and_nothing_but_the_token_is_accepted() -> None:
    credentials = Credentials(token=TOKEN)
    assert credentials.accepts(f"Bearer {TOKEN}")
    for other in ("", TOKEN, f"bearer {TOKEN}", f"Bearer {TOKEN} ", f"Bearer {TOKEN[:-1]}", "Bearer ", "Bearer é"):
        assert not credentials.accepts(other)
    assert NOTHING.accepts("")
    assert TOKEN not in repr(credentials)


def test_credentials_come_from_options_else_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f" {TOKEN}\n")
    environment = {"CHORUS_TOKEN": "another-long-enough-token", "CHORUS_TLS_CA": "/ca.pem", "CHORUS_INSECURE": "1"}
    read = read_credentials(Path("/mine.pem"), None, None, tmp_path / "token", False, environment)
    assert read == Credentials(Path("/mine.pem"), token=TOKEN, insecure=True, token_file=tmp_path / "token")
    assert read_credentials(None, None, None, None, False, environment).authority == Path("/ca.pem")
    assert read_credentials(None, None, None, None, False, read.environment()) == read


@pytest.mark.parametrize("token", ["short", "with\nlines-in-the-middle-of-it", "ümlauts-are-no-good-here"])
def test_what_is_no_token_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_credentials(None, None, None, None, False, {"CHORUS_TOKEN": token})
    assert token not in str(refused.value)


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ConfigError, match="belong together"):
        Credentials(certificate=Path("/a.pem"))
