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
    value: str | None = key("value", "apikey: the secret.")
    placement: str | None = key("placement", "apikey: header (default), query or cookie.")
    in_: str | None = key("in", "apikey: another spelling of `placement`.")
    username: str | None = key("username", "basic, digest: the user's name.")
    password: str | None = key("password", "basic, digest: the user's password.")
