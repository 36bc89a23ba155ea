"""Tokens of keys and browser sessions: a number to find the row by, and a secret of which a digest is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

_SECRET = re.compile(r"\b([a-z]{2}_[0-9]{1,15}_)[A-Za-z0-9_-]{43}")


def mint(secret: str | None = None) -> tuple[str, str]:
    """A new secret of 256 random bits, and its digest. Guessing is hopeless, so a plain SHA-256 is enough.

    Args:
        secret: One that was made elsewhere.
    """
    secret = secret or secrets.token_urlsafe(32)
    return secret, _digest(secret)


def derive(credential: str, salt: str) -> str:
    """The secret that belongs to another one and a random text; neither of the two alone tells anything of it."""
    code = hmac.digest(credential.encode(), salt.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(code).decode().rstrip("=")


def write(prefix: str, number: int, secret: str) -> str:
    """The text that a person or a browser keeps."""
    return f"{prefix}_{number}_{secret}"


def read(prefix: str, text: str) -> tuple[int, str] | None:
    """Number and secret of such a text; None where it is none."""
    match = re.fullmatch(rf"{prefix}_([0-9]{{1,15}})_([A-Za-z0-9_-]{{43}})", text)
    return (int(match[1]), match[2]) if match else None


def conceal(text: str) -> str:
    """A text with the secrets of tokens left out of it."""
    return _SECRET.sub(r"\1***", text)


def fits(secret: str, digest: str) -> bool:
    """Return whether a secret is the one the digest was kept of."""
    return hmac.compare_digest(digest, _digest(secret))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
