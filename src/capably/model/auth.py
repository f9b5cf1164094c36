"""Authentication blocks, as they stand under ``consumes`` and ``exposes``.

One record holds the keys of every scheme; docs/authentication.md shows them scheme by scheme. Where documents in use
spell a key in several ways, each spelling is a field here and the scheme reads the first that is written.
"""

from dataclasses import dataclass

from capably.document import Node
from capably.model.fields import OURS, Record, key


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication(Record):
    """How requests prove who sends them."""

    type: str = key("type", "The scheme: bearer, apikey, basic, digest, oauth2, oauth1, aws-sig-v4, ...", required=True)
    token: str | None = key("token", "bearer: the token. oauth1: the access token.")
    key_: str | None = key("key", "apikey: the name it is sent under. certificate: the private key.")
    name: str | None = key("name", "apikey: another spelling of `key`.", since=OURS)
    header: str | None = key("header", "apikey, hmac: the name of the header.", since=OURS)
    headers: Node | None = key(
        "headers", "apikey: several headers, by name. hmac: headers beside the signature.", since=OURS
    )
    value: str | None = key("value", "apikey: the secret. bearer: the token. hmac: what the header says.")
    placement: str | None = key("placement", "apikey: header (default), query, cookie or body.")
    in_: str | None = key("in", "apikey: another spelling of `placement`.", since=OURS)
    username: str | None = key("username", "basic, digest, oauth2: the user's name.")
    password: str | None = key("password", "basic, digest, oauth2: the user's password.")

    grant_type: str | None = key(
        "grantType", "oauth2: client-credentials (default), refresh-token or password.", since=OURS
    )
    token_endpoint: str | None = key("tokenEndpoint", "oauth2: the URL tokens are asked for at.")
    token_url: str | None = key("tokenUrl", "oauth2: another spelling of `tokenEndpoint`.", since=OURS)
    authorization_server: str | None = key("authorizationServerUri", "oauth2: the server whose metadata names it.")
    client_id: str | None = key("clientId", "oauth2: the client's identifier.", since=OURS)
    client_secret: str | None = key("clientSecret", "oauth2: the client's secret.", since=OURS)
    client_authentication: str | None = key(
        "clientAuthentication", "oauth2: header, body or none; tried if unset.", since=OURS
    )
    scope: Node | None = key("scope", "oauth2: the scopes to ask for, as text or list.", since=OURS)
    scopes: Node | None = key("scopes", "oauth2: another spelling of `scope`.")
    audience: str | None = key("audience", "oauth2: whom the token is meant for.")
    resource: str | None = key("resource", "oauth2: the resource the token is meant for (RFC 8707).")
    refresh_token: str | None = key("refreshToken", "oauth2: the first refresh token.", since=OURS)
    access_token: str | None = key(
        "accessToken", "oauth2: a token that is ready to use. oauth1: the access token.", since=OURS
    )
    safety_margin: int | None = key(
        "safetyMargin", "oauth2: seconds before its end that a token is renewed (60).", since=OURS
    )
    token_validation: str | None = key("tokenValidation", "oauth2 of a server: jwks (default) or introspection.")
    issuer: str | None = key(
        "issuer", "oauth2 of a server: what tokens call their issuer, if not `authorizationServerUri`.", since=OURS
    )
    jwks_uri: str | None = key("jwksUri", "oauth2 of a server: where the keys are, if no metadata says.", since=OURS)
    introspection_endpoint: str | None = key(
        "introspectionEndpoint", "oauth2 of a server: where to ask about tokens, if no metadata says.", since=OURS
    )
    algorithms: Node | None = key(
        "algorithms", "oauth2 of a server: how tokens may be signed, as text or list.", since=OURS
    )
    leeway: int | None = key("leeway", "oauth2 of a server: seconds that clocks may differ by (30).", since=OURS)

    consumer_key: str | None = key("consumerKey", "oauth1: the client's identifier.", since=OURS)
    consumer_secret: str | None = key("consumerSecret", "oauth1: the client's secret.", since=OURS)
    token_secret: str | None = key("tokenSecret", "oauth1: the secret of the access token.", since=OURS)
    access_token_secret: str | None = key("accessTokenSecret", "oauth1: another spelling of `tokenSecret`.", since=OURS)
    signature_method: str | None = key(
        "signatureMethod", "oauth1: HMAC-SHA1 (default), HMAC-SHA256, RSA-SHA1, ...", since=OURS
    )
    realm: str | None = key("realm", "oauth1: the realm to name.", since=OURS)
    body_hash: bool | None = key(
        "bodyHash", "oauth1: whether a body that is no form is hashed into the signature.", since=OURS
    )
    private_key: str | None = key(
        "privateKey", "oauth1: the RSA key, as PEM. certificate: the private key.", since=OURS
    )

    access_key_id: str | None = key("accessKeyId", "aws-sig-v4: the access key's identifier.", since=OURS)
    access_key: str | None = key("accessKey", "aws-sig-v4: another spelling of `accessKeyId`.", since=OURS)
    secret_key: str | None = key("secretKey", "aws-sig-v4: the secret access key.", since=OURS)
    secret_access_key: str | None = key("secretAccessKey", "aws-sig-v4: another spelling of `secretKey`.", since=OURS)
    session_token: str | None = key("sessionToken", "aws-sig-v4: the token of temporary credentials.", since=OURS)
    region: str | None = key("region", "aws-sig-v4: the region; else taken from the host.", since=OURS)
    service: str | None = key("service", "aws-sig-v4: the service; else taken from the host.", since=OURS)

    api_id: str | None = key("apiId", "hmac: the identifier of Veracode credentials.", since=OURS)
    api_key: str | None = key("apiKey", "hmac: the secret of Veracode credentials.", since=OURS)
    key_id: str | None = key("keyId", "hmac: the identifier that templates know as `{keyId}`.", since=OURS)
    secret: str | None = key("secret", "hmac: the secret that signs.", since=OURS)
    algorithm: str | None = key("algorithm", "hmac: sha256 (default), sha1, sha384 or sha512.", since=OURS)
    encoding: str | None = key("encoding", "hmac: hex (default) or base64.", since=OURS)
    signs: str | None = key("signs", "hmac: the text that is signed, with holes such as `{method}`.", since=OURS)

    certificate: str | None = key(
        "certificate", "certificate: the client's certificate, a PEM file or its text.", since=OURS
    )
    cert: str | None = key("cert", "certificate: another spelling of `certificate`.", since=OURS)
    passphrase: str | None = key("passphrase", "certificate: the password of the private key.", since=OURS)
    ca: str | None = key(
        "ca", "certificate: the authority that signed the server's certificate, a PEM file or text.", since=OURS
    )


SECRETS = (
    *("token", "value", "password", "clientSecret", "refreshToken", "accessToken"),
    *("consumerSecret", "tokenSecret", "accessTokenSecret", "privateKey"),
    *("secretKey", "secretAccessKey", "sessionToken", "apiKey", "secret", "passphrase"),
)
"""Keys that hold secrets, whatever the scheme."""
