"""Schemes that add the same to every request: bearer, basic and API keys. They cost nothing per call."""

from base64 import b64encode

from capably.diagnostics import did_you_mean
from capably.upstream.auth.block import Block, is_stand_in
from capably.upstream.auth.credentials import NO_CREDENTIALS, Credentials

_PLACES = ("header", "query", "cookie", "body")


def bearer(block: Block) -> Credentials:
    """A bearer token in the ``Authorization`` header (RFC 6750, section 2.1)."""
    token = block.secret("token", "value", "accessToken")
    return Credentials(headers=(("Authorization", f"Bearer {token.strip()}"),))


def basic(block: Block) -> Credentials:
    """User name and password (RFC 7617, section 2); one of them may be empty when it is written so."""
    username, password = block.user()
    pair = f"{username}:{password}"
    shown = pair if is_stand_in(username) or is_stand_in(password) else b64encode(pair.encode()).decode("ascii")
    return Credentials(headers=(("Authorization", f"Basic {shown}"),))


def apikey(block: Block) -> Credentials:
    """A key under a name, in a header, the query, a cookie or the body."""
    several = block.pairs("headers")
    if several:
        return Credentials(headers=several)
    secret_key, name = _key_and_name(block)
    value = block.secret(*secret_key).strip()
    if not name:
        block.lacks("key", "add `key:` with the name of the header or query parameter")
        return NO_CREDENTIALS
    return _placed(block, name, value)


def _key_and_name(block: Block) -> tuple[tuple[str, ...], str]:
    """Where the secret stands, and the name it is sent under."""
    if block.written("header") is not None and block.written("value") is None and block.written("key") is not None:
        return ("key",), block.text("header")
    return ("value", "apiKey", "token"), block.text("header", "key", "name")


def _placed(block: Block, name: str, value: str) -> Credentials:
    key = "placement" if block.written("placement") else "in"
    place = block.text("placement", "in", default="header").lower()
    pair = ((name, value),)
    credentials = {
        "header": Credentials(headers=pair),
        "query": Credentials(query=pair),
        "cookie": Credentials(cookies=pair),
        "body": Credentials(body=pair),
    }
    if place == "header":
        block.names_header(name, block.written("header", "key", "name") or "key")
    if place not in credentials:
        message = f"an API key cannot be placed in `{block.shown(key, place)}`"
        block.refuse("AUT003", message, key, *did_you_mean(place, _PLACES))
    return credentials.get(place, NO_CREDENTIALS)
