"""Protobuf: the body is one message, of the first type that the `.proto` file defines.

Fields have the names of the file. 64-bit numbers are numbers, enums are names, bytes base64, and the well-known types
(times, structs, wrappers) what JSON makes of them. A field whose presence is not tracked is there even when its value
is zero or empty, because then it is not sent; the others are there when they were sent.
"""

import importlib
import re
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Error, Message

from capably.payload.contract import Budget, Limits, Payload, PayloadError, check_nesting
from capably.payload.leaves import encoded, finite, single
from capably.payload.proto_source import FILE_NAME, parse_proto


def compile_schema(text: str) -> Descriptor:
    """Compile a `.proto` file; it may import the well-known types, and nothing else.

    Raises:
        PayloadError: it is not one, or it defines no message.
    """
    file = parse_proto(text)
    if not file.message_type:
        raise PayloadError("the .proto file defines no message")
    pool = DescriptorPool()
    for name in file.dependency:
        _add_well_known(pool, name)
    try:
        pool.AddSerializedFile(file.SerializeToString())
        root = pool.FindFileByName(FILE_NAME).message_types_by_name[file.message_type[0].name]
    except (TypeError, ValueError, KeyError, Error) as problem:
        reason = str(problem).rpartition("descriptor pool: ")[2]
        raise PayloadError(f"the .proto file is not right: {reason[:200]}") from None
    return root


def _add_well_known(pool: DescriptorPool, name: str) -> None:
    found = _WELL_KNOWN_FILE.fullmatch(name)
    if found is None:
        reason = (
            f"the .proto file imports `{name[:80]}`: only google/protobuf/*.proto can be imported, so copy its types in"
        )
        raise PayloadError(reason)
    file = importlib.import_module(f"google.protobuf.{found[1]}_pb2").DESCRIPTOR
    for needed in file.dependencies:
        _add_well_known(pool, needed.name)
    pool.AddSerializedFile(file.serialized_pb)


def decode(payload: Payload) -> Any:
    """The message.

    Raises:
        PayloadError: there is no schema, the body is not of it, or it holds too much.
    """
    if payload.schema is None:
        raise PayloadError("Protobuf can only be read by its schema: name the .proto file in `outputSchema`")
    message = message_factory.GetMessageClass(payload.schema)()
    try:
        message.ParseFromString(payload.body)
        return _Walk(payload.limits).message(message, 0)
    except (Error, json_format.Error, UnicodeDecodeError, ValueError, OverflowError):
        reason = f"the body is not a Protobuf message of the type `{payload.schema.full_name}`"
        raise PayloadError(reason) from None


class _Walk:
    """Turns messages into values, within limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.budget = Budget(limits.max_values)

    def message(self, message: Message, depth: int) -> Any:
        descriptor = message.DESCRIPTOR
        if descriptor.full_name in _AS_JSON:
            return json_format.MessageToDict(message)
        check_nesting(depth, self.limits)
        fields = [field for field in descriptor.fields if not field.has_presence or message.HasField(field.name)]
        self.budget.take(1 + len(fields))
        if descriptor.full_name in _WRAPPERS:
            return self.field(message, fields[0], depth)
        return {field.name: self.field(message, field, depth) for field in fields}

    def field(self, message: Message, field: Any, depth: int) -> Any:
        value = getattr(message, field.name)
        if not field.is_repeated:
            return self.single(field, value, depth + 1)
        self.budget.take(len(value))
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            of = field.message_type.fields_by_name["value"]
            return {_key(key): self.single(of, value[key], depth + 1) for key in value}
        return [self.single(field, item, depth + 1) for item in value]

    def single(self, field: Any, value: Any, depth: int) -> Any:
        if field.message_type is not None:
            return self.message(value, depth)
        if field.enum_type is not None:
            known = field.enum_type.values_by_number.get(value)
            return value if known is None else known.name
        convert = _CONVERSIONS.get(field.type)
        return convert(value) if convert else value


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


_WELL_KNOWN_FILE = re.compile(
    r"google/protobuf/(any|api|descriptor|duration|empty|field_mask|source_context|struct|timestamp|type|wrappers)\.proto"
)
_AS_JSON = frozenset(
    f"google.protobuf.{name}" for name in ("Timestamp", "Duration", "FieldMask", "Struct", "Value", "ListValue")
)
_WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_CONVERSIONS: dict[int, Callable[[Any], Any]] = {
    FieldDescriptor.TYPE_DOUBLE: finite,
    FieldDescriptor.TYPE_FLOAT: single,
    FieldDescriptor.TYPE_BYTES: encoded,
}
