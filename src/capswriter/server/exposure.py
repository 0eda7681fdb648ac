"""Who can reach the server at all, and what that demands: a token, or the wish to do without."""

from __future__ import annotations

import socket
import ssl
from ipaddress import ip_address
from typing import TYPE_CHECKING

from capswriter.errors import UsageError

if TYPE_CHECKING:
    from capswriter.settings import ServerConfig


def check_exposure(config: ServerConfig) -> None:
    """Refuse to listen to a network without a token.

    Raises:
        UsageError: and the message says what to do.
    """
    if not (is_loopback(config.host) or config.allow_anonymous or token_of(config)):
        raise UsageError(
            f"--host {config.host} lets other computers in: give them a token with --token or "
            "CAPSWRITER_TOKEN, or let everybody use the server with --allow-anonymous"
        )


def token_of(config: ServerConfig) -> str:
    """Read the token from the settings or the file they name; empty where there is none.

    Raises:
        UsageError: the file cannot be read, or does not hold a token.
    """
    if config.token or config.token_file is None:
        return config.token or ""
    try:
        token = config.token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"token_file: {config.token_file} cannot be read: {reason}") from error
    if not token or not all("!" <= char <= "~" for char in token):
        raise UsageError(
            f"token_file: {config.token_file} holds no token: one line of letters, digits and "
            "signs without spaces"
        )
    return token


def is_loopback(host: str) -> bool:
    """Tell whether this computer alone can reach an address or name to listen on."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return False
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def tls_of(config: ServerConfig) -> ssl.SSLContext | None:
    """Load the certificate; None where there is none.

    Raises:
        UsageError: it cannot be used, or there is a key without one.
    """
    if config.tls_cert is None:
        if config.tls_key is not None:
            raise UsageError("--tls-key needs the certificate that it belongs to: --tls-cert")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = " with ".join(str(path) for path in (config.tls_cert, config.tls_key) if path)
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise UsageError(f"--tls-cert: {files} cannot be used: {reason}") from error
    return context


def _no_password() -> str:
    """OpenSSL would ask at the terminal."""
    raise ValueError("the key is encrypted; take the password off it")
