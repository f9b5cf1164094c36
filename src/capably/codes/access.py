"""Codes of authentication and security: who may call what, on both sides, and who could see it."""

from capably.codes.code import Code

ACCESS: dict[str, Code] = {
    "AUT001": Code(
        "An authentication scheme is not known",
        "Requests can be authenticated with bearer, basic, apikey, digest, oauth2, oauth1, aws-sig-v4, hmac and "
        "certificate. Case, `-`, `_` and dots in the name do not matter.",
    ),
    "AUT002": Code(
        "An authentication block lacks something",
        "bearer needs `token`; basic and digest `username` and `password`; apikey `key` and `value`; oauth2 "
        "`clientId`, `clientSecret` and `tokenEndpoint`; oauth1 `consumerKey` and `consumerSecret`; aws-sig-v4 "
        "`accessKeyId` and `secretKey`; hmac `secret`; certificate `certificate`. Under `exposes`, oauth2 needs "
        "`authorizationServerUri` and `resource`. See docs/authentication.md and docs/authorization.md.",
    ),
    "AUT003": Code(
        "An API key is placed where none can be",
        "`placement` is header (the default), query, cookie or body. In a body the key is a field of a JSON object or "
        "a form; other bodies have no place for it. Requests without a body carry it in the query instead.",
    ),
    "AUT004": Code(
        "A secret is empty or cannot be sent",
        "The template has a value, but nothing is left of it, or it holds line breaks or other control characters. No "
        "request is ever sent with an empty secret.",
    ),
    "AUT005": Code(
        "A word of an authentication block is not known",
        "Some keys take one of a few words: `grantType`, `clientAuthentication`, `signatureMethod`, `algorithm` and "
        "`encoding`. The templates of hmac know a few holes, such as `{method}` and `{timestamp}`.",
    ),
    "AUT006": Code(
        "A value of an authentication block cannot be used",
        "An URL that is not http or https, a key that is not PEM, a number that is negative, a name that no header can "
        "have.",
    ),
    "AUT007": Code(
        "A certificate is not there",
        "The file that the block names does not exist. Files are relative to the document. `check` does without; calls "
        "fail until the file is there.",
    ),
    "AUT008": Code(
        "Scopes are asked of callers that have none",
        "Only access tokens grant scopes: `scopes` of a tool, an operation or a forward need a server, or an operation "
        "of its own, with `authentication` of `type: oauth2`. What nobody could call is left out, not opened to all.",
    ),
    "SEC001": Code(
        "A secret is written in the document",
        "Documents are shared and kept in version control. Bind the secret and name it as a template:\n\n"
        "    binds:\n"
        "    - namespace: env\n"
        "      keys: {API_KEY: API_KEY}\n"
        "    ...\n"
        "    token: '{{env.API_KEY}}'",
    ),
    "SEC002": Code(
        "Credentials are sent over plain http",
        "Whoever is on the way can read them. Use https, except on this machine.",
    ),
    "SEC003": Code(
        "A server without authentication is open to the network",
        "Whoever reaches it acts with the credentials of the upstream API, or reads the files of its skills. Listen on "
        "127.0.0.1, or add `authentication` (docs/authorization.md).",
    ),
    "SEC004": Code(
        "An authorization server is asked over plain http",
        "Secrets and tokens can be read by whoever is on the way, and keys that tokens are checked with be replaced. "
        "Use https, except on this machine.",
    ),
    "SEC005": Code(
        "Authentication is stated for a server that has no callers but one",
        "Over stdio a server speaks with the program that started it and with nobody else (MCP, Authorization: "
        "Protocol Requirements). The block, and `scopes` of its tools, are not asked for. Remove it or use http.",
    ),
}
