"""A `.proto` file (language specification of proto2, proto3 and editions) becomes a descriptor of its messages.

What decides how bytes are read is kept: messages, enums, fields, maps, oneofs, groups and features. Services,
extensions, reserved names and other options are skipped. Protobuf's own compiler reads from files only and prints what
is wrong, so the grammar is here; its library, which is handed the descriptor, checks names, types and numbers.
"""

from collections.abc import Callable

from google.protobuf.descriptor_pb2 import Edition, FileDescriptorProto

from capably.payload.proto_messages import Declarations
from capably.payload.proto_tokens import Tokens

FILE_NAME = "schema.proto"


def parse_proto(text: str) -> FileDescriptorProto:
    """The descriptor of a `.proto` file.

    Raises:
        PayloadError: the text is not of the language; the message names the line.
    """
    file = FileDescriptorProto(name=FILE_NAME, syntax="proto2")
    parser = _Parser(Tokens(text), file)
    while parser.tokens.next:
        parser.statement()
    if file.syntax == "proto2":
        file.ClearField("syntax")  # as it is said in descriptors
    return file


class _Parser:
    def __init__(self, tokens: Tokens, file: FileDescriptorProto) -> None:
        declared = Declarations(tokens, file)
        self.tokens = tokens
        self.file = file
        self.statements: dict[str, Callable[[], None]] = {
            "syntax": self.declare_syntax,
            "edition": self.declare_edition,
            "package": self.declare_package,
            "import": self.add_import,
            "option": lambda: declared.option(file.options),
            "message": lambda: declared.message(file.message_type.add()),
            "enum": lambda: declared.enum(file.enum_type.add()),
            "service": tokens.skip_statement,
            "extend": tokens.skip_statement,
            ";": lambda: None,
        }

    def statement(self) -> None:
        self.tokens.skip("export", "local")
        keyword = self.tokens.next
        if keyword not in self.statements:
            self.tokens.fail(f"`{keyword[:40]}` cannot stand here")
        self.tokens.read()
        self.statements[keyword]()

    def declare_syntax(self) -> None:
        self.tokens.expect("=")
        syntax = self.tokens.literal()
        if syntax not in {"proto2", "proto3"}:
            self.tokens.fail(f"the syntax `{syntax[:40]}` is not known")
        self.file.syntax = syntax
        self.tokens.expect(";")

    def declare_edition(self) -> None:
        self.tokens.expect("=")
        edition = self.tokens.literal()
        known = Edition.DESCRIPTOR.values_by_name.get(f"EDITION_{edition}")
        if known is None:
            self.tokens.fail(f"the edition `{edition[:40]}` is not known")
        self.file.syntax = "editions"
        self.file.edition = Edition.ValueType(known.number)
        self.tokens.expect(";")

    def declare_package(self) -> None:
        self.file.package = self.tokens.name()
        self.tokens.expect(";")

    def add_import(self) -> None:
        is_needed = not self.tokens.skip("option")
        self.tokens.skip("public", "weak")
        imported = self.tokens.literal()
        if is_needed:  # the others only define options
            self.file.dependency.append(imported)
        self.tokens.expect(";")
