"""The text of a body: its charset is the media type's, else what a byte order mark says, else UTF-8."""

import codecs
import re

from capably.payload.contract import Payload, PayloadError, start_of


def charset_of(media_type: str | None) -> str | None:
    """The charset parameter of a media type (RFC 9110, section 8.3)."""
    found = _PARAMETER.search(media_type or "")
    return (found["quoted"] or found["plain"] or "").strip() or None if found else None


def marked_charset(body: bytes) -> str | None:
    """The charset that a byte order mark names."""
    return next((name for mark, name in _MARKS if body.startswith(mark)), None)


def read_text(payload: Payload, declared: str | None = None) -> str:
    """The body's text, without byte order mark.

    Args:
        payload: the body.
        declared: a charset that the body itself declares. The media type and a byte order mark outrank it.

    Raises:
        PayloadError: the charset is not known, or the body is not text in it.
    """
    charset = charset_of(payload.media_type) or marked_charset(payload.body) or declared or "utf-8"
    codec = _codec(charset)
    try:
        return payload.body.decode(codec).removeprefix("\ufeff")
    except (UnicodeError, ValueError):
        reason = f"the body is not {charset[:_LONGEST_NAME]} text: {start_of(payload.body)}"
        raise PayloadError(reason) from None


def _codec(charset: str) -> str:
    try:
        name = codecs.lookup(charset).name if _LABEL.fullmatch(charset) else ""
    except (LookupError, ValueError):
        name = ""
    if not _TEXT_CODEC.fullmatch(name):
        raise PayloadError(f"the body's charset `{charset[:_LONGEST_NAME]}` is not known")
    return name


_LONGEST_NAME = 40
_PARAMETER = re.compile(r';\s*charset\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s;"]+))', re.IGNORECASE)
_MARKS = (  # the longer first: UTF-32's starts like UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LABEL = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:+-]{{0,{_LONGEST_NAME - 1}}}")
# Charsets of the wire. Python's `punycode`, `unicode-escape` and the like are none, and some take quadratic time.
_TEXT_CODEC = re.compile(
    r"utf-(?:8|16|32)(?:-sig|-[bl]e)?|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|kz1048|ptcp154|tis-620|hp-roman8|mac-\w+"
    r"|gb2312|gbk|gb18030|hz|big5(?:hkscs)?|euc_\w+|shift_jis\w*|johab|iso2022_\w+"
)
