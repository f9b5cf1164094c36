"""``capably schema``: the JSON Schema of capability documents, for editors."""

import sys

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of capability documents, for editors.

    \b
    Example, for editors with a YAML language server: save it, and start the document with a line that names it
      capably schema > capability.schema.json
      # yaml-language-server: $schema=./capability.schema.json
    """
    import json

    from capably.model.schema import document_schema

    sys.stdout.write(json.dumps(document_schema(), indent=2) + "\n")
