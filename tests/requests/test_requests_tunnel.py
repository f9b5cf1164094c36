"""APIs that a document reaches through a tunnel, which capably does not open."""

from pathlib import Path

from capably.examine import examine, examine_with
from capably.plan.variables import Given

DOCUMENT = """ikanos: 1.0.0-beta5
capability:
  consumes:
    - namespace: crm
      type: http
      baseUri: https://crm.internal
      tunnel: {type: ziti, service: crm-api, identity: any, fallback: FALLBACK}
      resources: [{name: customers, path: /customers, operations: [{name: list, method: GET}]}]
  exposes:
    - {type: rest, namespace: web, port: 8080, resources: [{path: /c, operations: [{method: GET, call: crm.list}]}]}
"""


def write(tmp_path: Path, fallback: str) -> Path:
    file = tmp_path / "crm.yaml"
    file.write_text(DOCUMENT.replace("FALLBACK", fallback), encoding="utf-8")
    return file


def test_an_api_behind_a_tunnel_needs_the_address_that_a_tunneler_offers(tmp_path: Path) -> None:
    examined = examine(write(tmp_path, "fail"))
    assert examined.compiled is not None
    assert [variable.name for variable in examined.compiled.missing] == ["crm"]
    (told,) = [item for item in examined.diagnostics if item.code == "DOC013"]
    assert told.message == "`crm` is reached through a tunnel, which capably does not open"
    assert told.help == ("give the address at which a tunneler of this machine offers it with --upstream crm=URL",)


async def test_given_that_address_it_is_served(tmp_path: Path) -> None:
    given = Given(upstreams={"crm": "http://127.0.0.1:4711/crm"})
    examined = await examine_with(write(tmp_path, "fail"), given)
    assert examined.compiled is not None
    assert not examined.compiled.missing
    assert examined.is_served


def test_a_fallback_to_the_direct_way_is_taken(tmp_path: Path) -> None:
    examined = examine(write(tmp_path, "direct"))
    assert examined.compiled is not None
    assert not examined.compiled.missing
    assert dict(examined.compiled.plan.upstreams) == {"crm": "https://crm.internal"}
    (told,) = [item for item in examined.diagnostics if item.code == "DOC013"]
    assert told.help == ("it is reached directly, as `fallback: direct` says",)
