"""Entries that stand in other files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from capably.examine import Examined, examine
from capably.plan.consumed import Consumed
from capably.render.text import render_text

Write = Callable[[str, str], Path]

REGISTRY = """\
naftiko: 1.0.0-alpha2
consumes:
- namespace: registry
  type: http
  baseUri: https://registry.example
  resources:
  - name: ships
    path: /ships/{imo}
    operations:
    - {name: get-ship, method: GET}
"""
FRONT = """\
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - import: registry
    location: ./shared/registry.yaml
  exposes:
  - type: mcp
    namespace: tools
    port: 9090
    tools:
    - {name: get-ship, description: Read a ship., call: registry.get-ship, with: {imo: tools.imo}}
"""


def errors(examined: Examined) -> list[tuple[str, str, int]]:
    return [(item.code, item.message, item.span.line) for item in examined.diagnostics if item.is_error]


def url(examined: Examined) -> str:
    assert examined.compiled is not None
    work = examined.compiled.plan.servers[0].operations[0].work
    assert isinstance(work, Consumed)
    request = work.request
    return request.base + "".join(part if isinstance(part, str) else f"<{part.name}>" for part in request.path)


def test_an_entry_is_imported_relative_to_the_file_that_imports(write: Write) -> None:
    write("docs/shared/registry.yaml", REGISTRY)
    examined = examine(write("docs/fleet.yaml", FRONT))
    assert errors(examined) == []
    assert url(examined) == "https://registry.example/ships/<imo>"


@pytest.mark.parametrize("written", ["from: ./shared/registry.yaml", "location: file:///./shared/registry.yaml"])
def test_the_file_is_named_by_from_or_location(write: Write, written: str) -> None:
    write("shared/registry.yaml", REGISTRY)
    examined = examine(write("fleet.yaml", FRONT.replace("location: ./shared/registry.yaml", written)))
    assert errors(examined) == []


def test_an_imported_entry_can_have_another_namespace_here(write: Write) -> None:
    write("shared/registry.yaml", REGISTRY)
    aliased = FRONT.replace("    location:", "    as: fleet\n    location:").replace("call: registry", "call: fleet")
    assert errors(examine(write("fleet.yaml", aliased))) == []


def test_servers_and_binds_are_imported_too(write: Write) -> None:
    write("shared/registry.yaml", REGISTRY)
    exposes = FRONT.split("  exposes:\n")[1].replace("\n  ", "\n")
    write("shared/front.yaml", f"ikanos: 1.0.0-beta4\nexposes:\n{exposes.removeprefix('  ')}")
    write("shared/env.yaml", "ikanos: 1.0.0-beta4\nbinds:\n- {namespace: env, keys: {TOKEN: REGISTRY_TOKEN}}\n")
    document = """\
        ikanos: 1.0.0-beta4
        binds:
        - {import: env, from: shared/env.yaml}
        capability:
          consumes:
          - {import: registry, from: shared/registry.yaml}
          exposes:
          - {import: tools, from: shared/front.yaml}
        """
    examined = examine(write("fleet.yaml", document))
    assert errors(examined) == []
    assert url(examined) == "https://registry.example/ships/<imo>"
    assert examined.capability is not None
    assert examined.capability.binds[0].keys == {"TOKEN": "REGISTRY_TOKEN"}


def test_imports_are_followed_through_files(write: Write) -> None:
    write("shared/deep/registry.yaml", REGISTRY)
    write(
        "shared/registry.yaml",
        "naftiko: 1.0.0-alpha2\nconsumes:\n- {import: registry, location: deep/registry.yaml}\n",
    )
    assert errors(examine(write("fleet.yaml", FRONT))) == []


def test_a_missing_file_is_told_at_the_line_that_imports_with_the_nearest_name(write: Write) -> None:
    write("shared/regisry.yaml", REGISTRY)
    path = write("fleet.yaml", FRONT)
    examined = examine(path)
    text = render_text([item for item in examined.diagnostics if item.code == "IMP002"], examined.texts)
    assert (
        text.replace(str(path), "fleet.yaml")
        == """\
error[IMP002]: the imported file `./shared/registry.yaml` does not exist
 --> fleet.yaml:5:15
  |
5 |     location: ./shared/registry.yaml
  |               ^^^^^^^^^^^^^^^^^^^^^^
  = help: did you mean `regisry.yaml`?
  = docs: capably explain IMP002

1 error in 1 file
"""
    )


def test_calls_into_a_file_that_could_not_be_imported_are_not_told_again(write: Write) -> None:
    codes = {code for code, _message, _line in errors(examine(write("fleet.yaml", FRONT)))}
    assert codes == {"IMP002"}


@pytest.mark.parametrize(
    ("registry", "document", "told"),
    [
        (
            REGISTRY.replace("namespace: registry", "namespace: registri"),
            FRONT,
            ("IMP005", "`./shared/registry.yaml` has no `consumes` entry with the namespace `registry`", 4),
        ),
        ("a: [", FRONT, ("IMP004", "the imported file `./shared/registry.yaml` cannot be used", 5)),
        (
            REGISTRY,
            FRONT.replace("./shared/registry.yaml", "https://example.com/registry.yaml"),
            ("IMP002", "`https://example.com/registry.yaml` is no local file: it cannot be imported", 5),
        ),
        (
            REGISTRY,
            FRONT.replace("    location: ./shared/registry.yaml\n", ""),
            ("IMP001", "this import has no `from`", 4),
        ),
    ],
)
def test_an_import_that_cannot_be_had_is_one_error_at_its_line(
    write: Write, registry: str, document: str, told: tuple[str, str, int]
) -> None:
    write("shared/registry.yaml", registry)
    assert told in errors(examine(write("fleet.yaml", document)))


def test_files_that_import_each_other_are_told_and_do_not_hang(write: Write) -> None:
    write("b.yaml", "ikanos: 1.0.0-beta4\nconsumes:\n- {import: api, from: a.yaml}\n")
    path = write("a.yaml", "ikanos: 1.0.0-beta4\ncapability:\n  consumes:\n  - {import: api, from: b.yaml}\n")
    found = errors(examine(path))
    assert ("IMP003", "`a.yaml` imports itself: a.yaml -> b.yaml -> a.yaml", 3) in found


def test_what_is_wrong_in_an_imported_entry_is_shown_in_its_own_file(write: Write) -> None:
    shared = write("shared/registry.yaml", REGISTRY.replace("method: GET", "method: FETCH"))
    examined = examine(write("fleet.yaml", FRONT))
    wrong = next(item for item in examined.diagnostics if item.code == "DOC010")
    assert wrong.span.file == str(shared)
    assert "FETCH" in render_text([wrong], examined.texts)
