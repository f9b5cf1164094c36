"""What can be wrong with script steps, and with what a document says of scripts."""

from capably.codes.code import Code

SCRIPTS: dict[str, Code] = {
    "SCR001": Code(
        "Scripts are switched off",
        "The document has a script step, and whoever runs it, or the document itself, does not want scripts to run: by "
        "`--no-scripts`, by `CAPABLY_SCRIPTING=false` (or `IKANOS_SCRIPTING`, `NAFTIKO_SCRIPTING`) in the environment, "
        "or by `management.scripting.enabled: false` of the control server.\n\n"
        "By `--no-scripts` and `CAPABLY_SCRIPTING` they are off for as long as the process runs: operations with such "
        "a step are left out. Otherwise an operator can switch them on (`capably scripting --set enabled=true`, "
        "docs/control.md): the operations are there, and calls of them fail until then.",
    ),
    "SCR002": Code(
        "The language of a script is not run",
        "Scripts are JavaScript or Python, as `language:` of the step or `management.scripting.defaultLanguage` of the "
        "control server says. Both can be limited, by `allowedLanguages` there and by `--script-languages`.\n\n"
        "Groovy is not run: it has no sandbox that holds. What Groovy scripts do is mostly a few lines of JavaScript: "
        "the variables `context` and `result` are the same.\n\n"
        "The sandboxes of both languages are an extra: `pip install 'capably[scripts]'`.",
    ),
    "SCR003": Code(
        "A file of a script cannot be read",
        "`file` and `dependencies` are files below `location`: `file:///folder`, or a folder relative to the document, "
        "whose own folder it is when absent. Names consist of letters, digits, `.`, `_` and `-`, with `/` between "
        "folders. Names and links that lead out of the folder are refused, as are files of more than 1 MiB.",
    ),
    "SCR004": Code(
        "A script cannot be understood",
        "Scripts are read when the document is, so that a slip of the pen is found before anybody calls. The sandbox's "
        "Python is a part of the language: it has no generators, no inheritance and no `del`, for example. See "
        "docs/scripts.md.",
    ),
    "SCR005": Code(
        "A setting of scripts cannot be used",
        "`management.scripting` of a control server takes `timeout` (milliseconds, 1 or more), `statementLimit` (1 or "
        "more), `memoryLimit` (such as 64MiB, at least 1MiB), `allowedLanguages` and `defaultLanguage` (javascript, "
        "python), `defaultLocation` (a folder). The default is used instead.",
    ),
}
