"""Passwords as Mosquitto stores them."""

from __future__ import annotations

import base64
import hashlib
import secrets

_ITERATIONS = 101  # mosquitto_passwd's; the passwords here are 192 random bits, which nobody guesses
_SALT_BYTES = 12


def new_password() -> str:
    """A random password of 32 letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(24)


def password_line(user: str, password: str, salt: bytes | None = None) -> str:
    """A line of the password file: `user:$7$iterations$salt$hash`, PBKDF2 with HMAC-SHA512, in Base64.

    Source: mosquitto 2.0, src/password_mosq.h and lib/misc_mosq.c (`pw_sha512_pbkdf2`).
    """
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    texts = [base64.b64encode(data).decode("ascii") for data in (salt, digest)]
    return f"{user}:$7${_ITERATIONS}${'$'.join(texts)}\n"
