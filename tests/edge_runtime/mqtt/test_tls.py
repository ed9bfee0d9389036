"""TLS that does not come about: each reason is named with its remedy, and nothing ever waits at a terminal."""

from __future__ import annotations

import dataclasses
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from edge_runtime.errors import BrokerUnreachable
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker_setup.certificates import Authority
from edge_runtime.mqtt.tls import client_context, refusal_of
from tests.brokers import PlainMosquitto, free_port, wait_until
from tests.edge_runtime.mqtt.conftest import Connect

HUB = BrokerAddress("mqtts", "127.0.0.1", 8883)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server's and two clients' certificates."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("made")
    authority = Authority.open(folder / "ca.crt", folder / "ca.key", 2)
    authority.server(folder / "server.crt", folder / "server.key", ["127.0.0.1"])
    for name in ("ann", "bob"):
        authority.client(folder / f"{name}.crt", folder / f"{name}.key", name)
    return folder


def shown(folder: Path, certificate: str, key: str = "") -> BrokerAddress:
    key_file = str(folder / key) if key else ""
    return dataclasses.replace(
        HUB, ca_file=str(folder / "ca.crt"), cert_file=str(folder / certificate), key_file=key_file
    )


def test_certificates_hold_under_the_strictest_checks_of_python(made: Path) -> None:
    context = client_context(shown(made, "ann.crt", "ann.key"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made / "server.crt", made / "server.key")
    server.load_verify_locations(made / "ca.crt")
    server.verify_mode = ssl.CERT_REQUIRED
    server.verify_flags |= ssl.VERIFY_X509_STRICT
    pairs = [(ssl.MemoryBIO(), ssl.MemoryBIO())]
    (to_client, to_server) = pairs[0]
    ours = context.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    done: set[ssl.SSLObject] = set()
    for _ in range(10):
        for end in (ours, theirs):
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                pass
    assert len(done) == 2
    certificate = theirs.getpeercert()
    assert certificate is not None
    assert certificate["subject"] == ((("commonName", "ann"),),)


def test_certificate_and_key_may_be_in_one_file(made: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes((made / "ann.crt").read_bytes() + (made / "ann.key").read_bytes())
    client_context(shown(made, str(both)))


def test_a_key_with_a_pass_phrase_is_refused_and_nobody_is_asked_for_it(made: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    encrypt = ["openssl", "pkey", "-in", str(made / "ann.key"), "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(encrypt, check=True, capture_output=True)
    with pytest.raises(BrokerUnreachable, match="without a pass phrase"):
        client_context(shown(made, "ann.crt", str(locked)))


@pytest.mark.parametrize(
    ("certificate", "key", "complaint"),
    [
        ("ann.crt", "bob.key", r"bob\.key are no certificate with its key"),
        ("ann.crt", "", r"ann\.crt are no certificate"),
        ("ann.key", "ann.key", "are no certificate"),
        ("gone.crt", "ann.key", r"cannot read .*gone\.crt"),
    ],
)
def test_files_that_do_not_fit_are_named(made: Path, certificate: str, key: str, complaint: str) -> None:
    with pytest.raises(BrokerUnreachable, match=complaint):
        client_context(shown(made, certificate, key))


@pytest.mark.parametrize(("name", "complaint"), [("ca.key", "holds no certificate"), ("gone", "No such file.*gone")])
def test_an_authority_that_is_none_is_named(made: Path, name: str, complaint: str) -> None:
    with pytest.raises(BrokerUnreachable, match=complaint):
        client_context(dataclasses.replace(HUB, ca_file=str(made / name)))


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "cert=FILE"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "clocks"),
        ("TLSV1_ALERT_UNKNOWN_CA", "authority"),
        ("TLSV1_ALERT_INTERNAL_ERROR", "TLSV1_ALERT_INTERNAL_ERROR"),
    ],
)
def test_the_broker_s_alerts_are_put_into_words(reason: str, remedy: str) -> None:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    assert remedy in refusal_of(error)


def test_what_is_no_alert_is_none_of_the_broker_s_refusals() -> None:
    error = ssl.SSLError(1, "x")
    error.reason = "UNEXPECTED_EOF_WHILE_READING"
    assert refusal_of(error) == ""


@pytest.mark.broker
def test_tls_to_a_plain_port_says_so(plain_mosquitto: PlainMosquitto, connect: Connect) -> None:
    plain_mosquitto.start()
    connection = connect(dataclasses.replace(plain_mosquitto.address, scheme="mqtts"), wait=False)
    wait_until("a reason is given", lambda: connection.last_error)
    assert "is this the broker's TLS port?" in str(connection.last_error)


@pytest.mark.broker
def test_no_tls_to_a_tls_port_says_so(plain_mosquitto: PlainMosquitto, made: Path, connect: Connect) -> None:
    port = free_port()
    plain_mosquitto.set(f"listener {port} 127.0.0.1", f"certfile {made}/server.crt", f"keyfile {made}/server.key")
    plain_mosquitto.start()
    connection = connect(BrokerAddress("mqtt", "127.0.0.1", port), wait=False)
    wait_until("a reason is given", lambda: connection.last_error)
    assert "mqtts://" in str(connection.last_error)
