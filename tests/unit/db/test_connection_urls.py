"""What is made of a libpq URL before asyncpg gets it."""

import re
import ssl

import pytest

from db.connect import CONNECT_SECONDS, UnusableUrl, server_settings, target


@pytest.mark.parametrize(
    ("url", "dsn"),
    [
        ("postgres://u:p@h/d", "postgresql://u:p@h/d"),
        ("postgresql+asyncpg://u:p%40@h:1/d", "postgresql://u:p%40@h:1/d"),
        ("postgresql://h/d?sslmode=require", "postgresql://h/d?sslmode=require"),
        ("postgresql:///d?host=/tmp", "postgresql:/d?host=%2Ftmp"),
        ("postgresql://u@[::1]:5432/d", "postgresql://u@[::1]:5432/d"),
        ("postgresql://h:,[::1]:65535,%2Ftmp:1/d", "postgresql://h:,[::1]:65535,%2Ftmp:1/d"),
        ("postgresql:///d?host=/tmp,h&port=1,2", "postgresql:/d?host=%2Ftmp%2Ch&port=1%2C2"),
        ("postgresql://u:p%2F%40%5B@h/d", "postgresql://u:p%2F%40%5B@h/d"),
        ("postgresql://h/d?hostaddr=127.0.0.1", "postgresql://h/d?host=127.0.0.1"),
        ("postgresql://h/d?keepalives=1&sslsni=1&channel_binding=prefer", "postgresql://h/d"),
        ("postgresql://h/d?options=-c%20geqo%3Doff", "postgresql://h/d?options=-c%20geqo%3Doff"),
        (" postgresql://h/d\n", "postgresql://h/d"),
    ],
)
def test_a_url_reaches_asyncpg_whole(url: str, dsn: str) -> None:
    assert target(url).dsn == dsn


def test_of_several_hosts_the_one_that_can_write_is_taken() -> None:
    assert target("postgresql://a:1,b:2/d").target_session_attrs == "read-write"
    assert target("postgresql:///d?host=a,b").target_session_attrs == "read-write"
    assert target("postgresql://a,b/d?target_session_attrs=any").target_session_attrs == "any"
    assert target("postgresql://a/d").target_session_attrs is None


def test_the_time_to_connect_is_the_urls_or_ours() -> None:
    assert target("postgresql://h/d?connect_timeout=3").timeout == 3
    assert target("postgresql://h/d").timeout == CONNECT_SECONDS
    assert target("postgresql://h/d?connect_timeout=0").timeout == CONNECT_SECONDS


def test_the_systems_authorities_check_the_hosts_name() -> None:
    tls = target("postgresql://h/d?sslmode=verify-full&sslrootcert=system").tls
    assert tls is not None
    assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://h/d", "must look like postgresql://"),
        ("host=h dbname=d", "must look like postgresql://"),
        ("", "must look like postgresql://"),
        ("postgresql://u:secret#1@h/d", "must be written %23"),
        ("postgresql://u:secret@h/d?channel_binding=require", "channel_binding=require"),
        ("postgresql://u:secret@h/d?require_auth=scram-sha-256", "require_auth=scram-sha-256"),
        ("postgresql://u:secret@h/d?connect_timeout=soon", "connect_timeout must be a number"),
        ("postgresql://u:secret@[h/d", "its host or port can't be read"),
        ("postgresql://u:12/secret@h:5432/d", "its host or port can't be read"),
        ("postgresql://u:secret/12@h:5432/d", "its host or port can't be read"),
        ("postgresql://u:12?secret@h/d", "its host or port can't be read"),
        ("postgresql://u:12@a?secret=1@h/d", "its host or port can't be read"),
        ("postgresql://u:12@a?secret", "a parameter after its ? has no value"),
        ("postgresql://u:12@secret@h/d", "its host or port can't be read"),
        ("postgresql://u:a[secret]b@h/d", "its host or port can't be read"),
        ("postgresql://u:a\u2100secret@h/d", "its host or port can't be read"),
        ("postgresql://u:secret@h:notaport/d", "a port is a number from 1 to 65535"),
        ("postgresql://u:secret@h:99999/d", "a port is a number from 1 to 65535"),
        ("postgresql://u:secret@h:0/d", "a port is a number from 1 to 65535"),
        ("postgresql://u:secret@h:1,[::1]:x/d", "a port is a number from 1 to 65535"),
        ("postgresql://u:secret@a,,b/d", "its host or port can't be read"),
        ("postgresql:///d?port=secret", "a port is a number from 1 to 65535"),
        ("postgresql:///d?host=h:secret", "a port is a number from 1 to 65535"),
        ("postgresql://h/d?sslmode=secret", "sslmode must be disable, allow, prefer, "),
        ("postgresql://h/d?target_session_attrs=secret", "target_session_attrs must be any, "),
    ],
)
def test_a_url_that_cannot_be_kept_is_refused_without_its_password(url: str, problem: str) -> None:
    with pytest.raises(UnusableUrl, match=re.escape(problem)) as refused:
        target(url)
    assert "secret" not in str(refused.value)


def test_pgbouncer_is_sent_only_what_it_takes() -> None:
    assert set(server_settings("us", pooler=True, command_timeout=30)) == {
        "application_name",
        "timezone",
    }
    assert server_settings("us", pooler=False, command_timeout=30)["statement_timeout"] == "30000"
    assert server_settings("us", pooler=False, command_timeout=None)["statement_timeout"] == "0"
