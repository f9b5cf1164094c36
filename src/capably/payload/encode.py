"""Values as request bodies of formats other than JSON."""

from typing import Any

import yaml

from capably.payload.contract import PayloadError
from capably.scalars import read_plain

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def encode_yaml(value: Any) -> bytes:
    """The value as a YAML document in UTF-8, which readers of YAML 1.1 and of 1.2 take alike; keys keep their order.

    Raises:
        PayloadError: the value is none that JSON can say, or it is nested too deep.
    """
    try:
        text: bytes = yaml.dump(value, Dumper=_YamlDumper, encoding="utf-8", allow_unicode=True, sort_keys=False)
    except yaml.YAMLError:
        raise PayloadError("the value cannot be written as YAML") from None
    except UnicodeError:
        raise PayloadError("the value cannot be written as YAML: it has half of a surrogate pair") from None
    except RecursionError:
        raise PayloadError("the value cannot be written as YAML: it is nested too deep") from None
    return text


class _YamlDumper(_Dumper):  # type: ignore[misc] # the base is libyaml's or Python's
    """Writes shared values in full, and quotes what only one of the two versions of YAML would take as text."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    is_text = read_plain(text) == text
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_text else "'")


_YamlDumper.add_representer(str, _text)
