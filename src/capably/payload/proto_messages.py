"""The declarations in a `.proto` file: messages, enums and their options, put into descriptors."""

from collections.abc import Callable
from typing import TypeAlias

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumOptions,
    FeatureSet,
    FieldDescriptorProto,
    FieldOptions,
    FileDescriptorProto,
    FileOptions,
    MessageOptions,
    OneofOptions,
)

from capably.payload.proto_tokens import Tokens

Options: TypeAlias = FileOptions | MessageOptions | FieldOptions | EnumOptions | OneofOptions


class Declarations:
    """Reads declarations of a file; what does not fit raises `PayloadError`."""

    def __init__(self, tokens: Tokens, file: FileDescriptorProto) -> None:
        self.tokens = tokens
        self.file = file
        self.depth = 0

    def message(self, message: DescriptorProto) -> None:
        """Read a message behind its keyword."""
        message.name = self.tokens.name()
        self.members(message)

    def members(self, message: DescriptorProto) -> None:
        """Read what stands in the braces of a message."""
        tokens = self.tokens
        self.depth += 1
        if self.depth > _MOST_LEVELS:
            tokens.fail("messages are nested too deep")
        statements: dict[str, Callable[[], None]] = {
            "message": lambda: self.message(message.nested_type.add()),
            "enum": lambda: self.enum(message.enum_type.add()),
            "option": lambda: self.option(message.options),
            "oneof": lambda: self.oneof(message),
            "reserved": tokens.skip_statement,
            "extensions": tokens.skip_statement,
            "extend": tokens.skip_statement,
            ";": lambda: None,
        }
        tokens.expect("{")
        optional: list[FieldDescriptorProto] = []
        while not tokens.skip("}"):
            tokens.skip("export", "local")
            if tokens.next in statements:
                statements[tokens.read()]()
            else:
                optional += self.labelled_field(message)
        for field in optional:  # proto3 marks presence by a oneof of one; these come last
            field.oneof_index = len(message.oneof_decl)
            field.proto3_optional = True
            message.oneof_decl.add(name=f"_{field.name}")
        self.depth -= 1

    def labelled_field(self, message: DescriptorProto) -> list[FieldDescriptorProto]:
        """Read a field; it is returned if its presence is tracked in the way of proto3."""
        label = self.tokens.read() if self.tokens.next in _LABELS else ""
        field = self.field(message)
        if label:
            field.label = _LABELS[label]
        return [field] if label == "optional" and self.file.syntax == "proto3" else []

    def oneof(self, message: DescriptorProto) -> None:
        """Read fields of which one is there."""
        index = len(message.oneof_decl)
        choice = message.oneof_decl.add(name=self.tokens.name())
        self.tokens.expect("{")
        while not self.tokens.skip("}"):
            if self.tokens.skip("option"):
                self.option(choice.options)
            elif not self.tokens.skip(";"):
                field = self.field(message)
                field.oneof_index = index

    def field(self, message: DescriptorProto) -> FieldDescriptorProto:
        """Read a field behind its label."""
        field = message.field.add(label=FieldDescriptorProto.LABEL_OPTIONAL)
        kind = self.tokens.name()
        entry = self.map_entry(message) if kind == "map" and self.tokens.skip("<") else None
        _set_type(field, kind)
        name = self.tokens.name()
        field.name = name.lower() if kind == "group" else name
        self.tokens.expect("=")
        field.number = self.number()
        self.field_options(field.options)
        if entry is not None:
            field.label = FieldDescriptorProto.LABEL_REPEATED
            entry.name = f"{''.join(part[:1].upper() + part[1:] for part in name.split('_'))}Entry"
            _set_type(field, entry.name)
        if kind == "group":
            field.type_name = name
            self.members(message.nested_type.add(name=name))
        else:
            self.tokens.expect(";")
        return field

    def map_entry(self, message: DescriptorProto) -> DescriptorProto:
        """Read the types of a map, which is a list of messages that have them."""
        entry = message.nested_type.add()
        entry.options.map_entry = True
        for number, (name, end) in enumerate((("key", ","), ("value", ">")), start=1):
            part = entry.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
            _set_type(part, self.tokens.name())
            self.tokens.expect(end)
        return entry

    def enum(self, enum: EnumDescriptorProto) -> None:
        """Read an enum behind its keyword."""
        enum.name = self.tokens.name()
        self.tokens.expect("{")
        while not self.tokens.skip("}"):
            if self.tokens.skip("option"):
                self.option(enum.options)
            elif self.tokens.skip("reserved"):
                self.tokens.skip_statement()
            elif not self.tokens.skip(";"):
                value = enum.value.add(name=self.tokens.name())
                self.tokens.expect("=")
                value.number = self.number()
                self.field_options(FieldOptions())
                self.tokens.expect(";")

    def number(self) -> int:
        """Read a number of 32 bits."""
        number = self.tokens.number()
        if not -(1 << 31) <= number < 1 << 31:
            self.tokens.fail("the number is too large")
        return number

    def field_options(self, options: FieldOptions) -> None:
        """Read the options in brackets behind a field."""
        if self.tokens.skip("["):
            self.setting(options)
            while self.tokens.skip(","):
                self.setting(options)
            self.tokens.expect("]")

    def option(self, options: Options) -> None:
        """Read an option behind its keyword."""
        self.setting(options)
        self.tokens.expect(";")

    def setting(self, options: Options) -> None:
        """Read `name = value`; keep it if it decides how bytes are read."""
        name = ""
        while not self.tokens.skip("="):
            name += self.tokens.read()
        value = self.tokens.value()
        if name == "allow_alias" and isinstance(options, EnumOptions):
            options.allow_alias = value == "true"
        feature = FeatureSet.DESCRIPTOR.fields_by_name.get(name.removeprefix("features."))
        if feature is None or not name.startswith("features."):
            return
        if feature.enum_type is None or value not in feature.enum_type.values_by_name:
            self.tokens.fail(f"`{name[:40]}` cannot be `{value[:40]}`")
        setattr(options.features, feature.name, feature.enum_type.values_by_name[value].number)


def _set_type(field: FieldDescriptorProto, kind: str) -> None:
    """Name the type; whether a name is that of a message or of an enum is found out when all are known."""
    scalar = FieldDescriptorProto.Type.DESCRIPTOR.values_by_name.get(f"TYPE_{kind.upper()}")
    if scalar is not None and kind.islower() and kind not in {"message", "enum"}:
        field.type = FieldDescriptorProto.Type.ValueType(scalar.number)
    else:
        field.type_name = kind


_MOST_LEVELS = 30  # of messages in messages
_LABELS = {
    "optional": FieldDescriptorProto.LABEL_OPTIONAL,
    "required": FieldDescriptorProto.LABEL_REQUIRED,
    "repeated": FieldDescriptorProto.LABEL_REPEATED,
}
