"""RSA signatures of OAuth 1.0a, made with the ``cryptography`` package, which is imported when needed."""

from capably.upstream.auth.block import is_stand_in

ADVICE = ("it is the text of an RSA key in PEM, such as a bind to a file gives",)


def problem_with(private_key: str) -> str | None:
    """Why a private key cannot sign, ``None`` when it can (or is not known here)."""
    if not private_key or is_stand_in(private_key):
        return None
    try:
        sign(private_key, "sha256", b"")
    except ValueError:
        return "it is not an RSA key in PEM"
    return None


def sign(private_key: str, algorithm: str, data: bytes) -> bytes:
    r"""Sign with RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).

    Args:
        private_key: PEM without password; its line breaks may be written as ``\n``.
        algorithm: sha1, sha256 or sha512.
        data: what is signed.

    Raises:
        ValueError: this is not an RSA key without a password.
    """
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 -- slow to import
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415 -- slow to import
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 -- slow to import

    try:
        key = load_pem_private_key(private_key.replace("\\n", "\n").encode(), password=None)
    except TypeError as problem:
        raise ValueError("the key needs a password") from problem
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not an RSA key")  # noqa: TRY004 -- it is a key, of another kind
    known: dict[str, hashes.HashAlgorithm] = {
        "sha1": hashes.SHA1(),  # noqa: S303 -- RFC 5849, section 3.4.3 signs with it
        "sha256": hashes.SHA256(),
        "sha512": hashes.SHA512(),
    }
    return key.sign(data, padding.PKCS1v15(), known[algorithm])
