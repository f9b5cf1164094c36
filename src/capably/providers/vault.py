"""Values from HashiCorp Vault, key/value engine version 2 (https://developer.hashicorp.com/vault/api-docs/secret/kv).

``vault://MOUNT/PATH`` names the secret. The server and the token come from ``VAULT_ADDR`` and ``VAULT_TOKEN``, a
namespace from ``VAULT_NAMESPACE``, as for Vault's own tools.
"""

from urllib.parse import quote, urlsplit

import msgspec

from capably.plan.requests import base_uri_problem
from capably.providers.provider import Place, ProviderError, Values
from capably.upstream.client import Client, ClientLimits
from capably.upstream.reply import Reply, UpstreamError
from capably.upstream.request import Request

_LIMITS = ClientLimits(connect_s=5, answer_s=10, answer_bytes=1024 * 1024)
_REFUSALS = {
    403: "Vault refuses the token, or the token may not read it",
    404: "Vault has no such secret",
    503: "Vault is sealed or down",
}


async def read_vault(place: Place) -> Values:
    """The values of a secret's latest version.

    Raises:
        ProviderError: Vault is not named, cannot be reached, or does not give the secret.
    """
    request = _request(place)
    try:
        async with Client(_LIMITS) as client:
            reply = await client.send(request)
    except UpstreamError as problem:
        raise ProviderError(f"Vault cannot be reached ({problem.trouble.value})") from problem
    return _values(place, reply)


def _request(place: Place) -> Request:
    address, token = place.environ.get("VAULT_ADDR", ""), place.environ.get("VAULT_TOKEN", "")
    if not address or not token:
        raise ProviderError("VAULT_ADDR and VAULT_TOKEN must be set in the environment")
    if base_uri_problem(address) is not None:
        raise ProviderError(f"VAULT_ADDR is {base_uri_problem(address)}")
    parts = urlsplit(place.location)
    mount, path = quote(parts.netloc), quote(parts.path.strip("/"))
    if not mount or not path:
        raise ProviderError("a Vault location is written vault://MOUNT/PATH")
    headers = [("X-Vault-Token", token), ("X-Vault-Request", "true")]
    if place.environ.get("VAULT_NAMESPACE"):
        headers.append(("X-Vault-Namespace", place.environ["VAULT_NAMESPACE"]))
    return Request("GET", f"{address.rstrip('/')}/v1/{mount}/data/{path}", tuple(headers), None)


class _Version(msgspec.Struct):
    data: dict[str, str | int | float | bool | None]


class _Secret(msgspec.Struct):
    data: _Version


def _values(place: Place, reply: Reply) -> Values:
    if reply.status != 200:  # noqa: PLR2004 -- Vault answers a read with 200
        reason = _REFUSALS.get(reply.status, f"Vault answered with status {reply.status}")
        raise ProviderError(f"`{place.location}`: {reason}")
    try:
        secret = msgspec.json.decode(reply.body, type=_Secret)
    except msgspec.DecodeError as problem:
        raise ProviderError(f"`{place.location}`: this is no answer of a KV version 2 engine") from problem
    return {name: _text(value) for name, value in secret.data.data.items() if value is not None}


def _text(value: str | float | bool) -> str:  # noqa: FBT001 -- a JSON value
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
