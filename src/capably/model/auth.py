"""Authentication blocks, as they stand under ``consumes`` and ``exposes``."""

from dataclasses import dataclass

from capably.model.fields import Record, key


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication(Record):
    """How requests prove who sends them."""

    type: str = key("type", "The scheme: bearer, apikey, basic, ...", required=True)
    token: str | None = key("token", "bearer: the token.")
    key_: str | None = key("key", "apikey: the name of the header, query parameter or cookie.")
    name: str | None = key("name", "apikey: another spelling of `key`.")
    header: str | None = key("header", "apikey: the name of the header, when `key` holds the secret.")
    value: str | None = key("value", "apikey: the secret. bearer: another spelling of `token`.")
    placement: str | None = key("placement", "apikey: header (default), query or cookie.")
    in_: str | None = key("in", "apikey: another spelling of `placement`.")
    username: str | None = key("username", "basic, digest: the user's name.")
    password: str | None = key("password", "basic, digest: the user's password.")
