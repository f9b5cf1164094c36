"""Text as one string; bytes as base64, which is how JSON carries them."""

import base64

from capably.payload.charset import read_text
from capably.payload.contract import Payload


def decode(payload: Payload) -> str:
    """The body as a string.

    Raises:
        PayloadError: a text is not in its charset.
    """
    return base64.b64encode(payload.body).decode() if payload.format == "binary" else read_text(payload)
