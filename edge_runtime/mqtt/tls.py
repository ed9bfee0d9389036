"""TLS towards a broker: whom to trust, who we are, and what its refusals mean in words."""

from __future__ import annotations

import ssl

from edge_runtime.errors import BrokerUnreachable
from edge_runtime.mqtt.address import BrokerAddress

_NOT_TLS = "no TLS connection ({}): is this the broker's TLS port? A plain one is mqtt://"
# Alerts of RFC 8446 section 6 about the client's certificate, as OpenSSL names them.
_ABOUT_US = {
    "CERTIFICATE_REQUIRED": "the broker wants a client certificate: name it and its key with ?cert=FILE&key=FILE",
    "HANDSHAKE_FAILURE": "the broker broke the handshake off: it may want a client certificate (?cert=FILE&key=FILE)",
    "CERTIFICATE_EXPIRED": "the broker says that our certificate has expired: make a new one, and check both clocks",
    "CERTIFICATE_REVOKED": "the broker says that our certificate is revoked: make a new one",
    "UNKNOWN_CA": "the broker does not trust the authority of our certificate: use one that its authority signed",
    "BAD_CERTIFICATE": "the broker says that our certificate is not valid: check its authority and both clocks",
    "CERTIFICATE_UNKNOWN": "the broker does not take our certificate: check its authority and both clocks",
}


def client_context(address: BrokerAddress) -> ssl.SSLContext:
    """What a connection to this broker trusts and shows; TLS 1.2 or newer, host names checked.

    Raises:
        BrokerUnreachable: a file cannot be read or is not what it should be; named.
    """
    try:
        context = ssl.create_default_context(cafile=address.ca_file or None)
    except ssl.SSLError as error:
        raise BrokerUnreachable(f"{address.ca_file} holds no certificate in PEM ({error.reason})") from error
    except OSError as error:
        raise BrokerUnreachable(f"{error.strerror or error}: {address.ca_file}") from error
    if address.cert_file:
        _show(context, address.cert_file, address.key_file)
    return context


def _show(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    files = f"{cert_file} and {key_file}" if key_file else cert_file
    try:
        # An empty password, or OpenSSL would wait at the terminal for one that nobody types on a board.
        context.load_cert_chain(cert_file, key_file or None, password="")
    except ssl.SSLError as error:
        raise BrokerUnreachable(
            f"{files} are no certificate with its key, in PEM and without a pass phrase ({error.reason or error})"
        ) from error
    except OSError as error:
        raise BrokerUnreachable(f"cannot read {files}: {error.strerror or error}") from error


def refusal_of(error: ssl.SSLError) -> str:
    """The broker's alert about our certificate in words, or an empty text if the error is none."""
    alert = (error.reason or "").upper()
    if "ALERT" not in alert:
        return ""
    return next((words for name, words in _ABOUT_US.items() if alert.endswith(name)), f"the broker's TLS says {alert}")


def handshake_failure(error: ssl.SSLError | ConnectionError) -> str:
    """Why there is no TLS connection, with the remedy."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}): name its authority with ?ca=FILE"
    if isinstance(error, ssl.SSLError):
        return refusal_of(error) or _NOT_TLS.format(error.reason or error)
    return _NOT_TLS.format("it closed the connection in the handshake")
