"""Codes of control servers."""

from capably.codes.code import Code

CONTROL: dict[str, Code] = {
    "CTL001": Code(
        "A document has two control servers",
        "One control server stands for the whole process, whatever it serves. The first one is opened, the other left "
        "out.",
    ),
    "CTL002": Code(
        "A control server is open to the network",
        "Whoever reaches a control server sees the configuration and can change what is served, so that one which "
        "other machines reach must ask who they are. Listen on 127.0.0.1 (which is where it listens without "
        "`address`), or add `authentication` (docs/control.md). Until then it is not opened; the other servers are.",
    ),
}
