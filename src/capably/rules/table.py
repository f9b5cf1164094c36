"""Every rule, in the order of its family. A rule is one line here and one function in its family's module."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from capably.diagnostics import Diagnostic
from capably.model.capability import Capability
from capably.plan.compile import Compiled
from capably.rules import answers, flows, inputs, references, requests, resources, security, servers, skills, variables

Rule: TypeAlias = Callable[[Capability, Compiled], Iterator[Diagnostic]]

RULES: tuple[Rule, ...] = (
    references.operation_named_twice,
    references.path_without_place,
    variables.variable_not_bound,
    variables.location_not_readable,
    inputs.inputs_inferred,
    inputs.input_without_use,
    inputs.schema_unusable,
    answers.answer_misstated,
    requests.value_not_allowed,
    inputs.value_of_another_type,
    requests.header_of_the_connection,
    requests.header_without_name,
    requests.style_out_of_place,
    flows.semantics_at_odds,
    flows.extension_used,
    servers.nothing_served,
    servers.part_not_served,
    servers.namespace_twice,
    servers.port_twice,
    servers.route_twice,
    servers.forward_twice,
    servers.tool_twice,
    servers.unsafe_tool_name,
    skills.skill_out_of_form,
    skills.skill_twice,
    skills.skill_files_absent,
    resources.location_absent,
    security.secret_in_the_document,
    security.credentials_over_plain_http,
    security.tokens_over_plain_http,
    security.open_to_the_network,
    security.authentication_over_stdio,
)
