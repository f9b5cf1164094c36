"""JSON values as YAML that every reader understands alike, whether it reads YAML 1.1 or 1.2."""

from typing import Any

import yaml

from capably.scalars import read_plain


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, and quotes every text that some version of YAML takes for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Whether a value is written out each time; always."""
        return data is data  # noqa: PLR0124 -- the answer is yes for every value


def _represent_text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    is_plain = isinstance(read_plain(data), str) and data.isprintable()
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=None if is_plain else '"')


_Dumper.add_representer(str, _represent_text)


def to_yaml(value: Any) -> str:
    """A JSON value as one YAML document."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        default_flow_style=False,
        width=2**31,
    )
    return text.removesuffix("...\n")
