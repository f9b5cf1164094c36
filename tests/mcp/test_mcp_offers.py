"""Contents, resources, prompts and completion, served from a document and seen by the official client."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import mcp
import mcp_types
import pytest

from capably.app import open_documents, running
from capably.cli import main
from capably.examine import Examined, examine
from capably.plan.operation import ServerPlan
from capably.servers.mcp_eras import Era
from capably.servers.mcp_features import Marks
from capably.servers.mcp_messages import ProtocolError
from capably.servers.mcp_pages import pages_of
from capably.settings import Settings

PNG = base64.b64encode(b"\x89PNG\r\n").decode()
every_mode = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


def document(**mcp_server: Any) -> dict[str, Any]:
    server = {"type": "mcp", "namespace": "shown", "port": 0, **mcp_server}
    return {"ikanos": "1.0.0-beta4", "capability": {"exposes": [server]}}


def write(folder: Path, **mcp_server: Any) -> Path:
    file = folder / "document.json"
    file.write_text(json.dumps(document(**mcp_server)), encoding="utf-8")
    return file


def told(examined: Examined) -> list[tuple[str, str]]:
    return [(item.code, item.message) for item in examined.diagnostics]


def offered(examined: Examined) -> ServerPlan:
    assert examined.compiled is not None
    (server,) = examined.compiled.plan.servers
    return server


Connect = Callable[..., Any]


@pytest.fixture
def connect(tmp_path: Path) -> Connect:
    """Serves a document and connects the official client to it."""

    @asynccontextmanager
    async def connect(mode: str, **mcp_server: Any) -> AsyncIterator[mcp.Client]:
        settings = Settings()
        opened = await open_documents([write(tmp_path, **mcp_server)], settings)
        async with running(opened, settings) as listeners:
            (listener,) = listeners
            async with mcp.Client(f"http://127.0.0.1:{listener.port}/mcp", mode=mode) as client:
                yield client

    return connect


async def refusal(asked: Awaitable[Any]) -> tuple[int, str, Any]:
    with pytest.raises(mcp.MCPError) as refused:
        await asked
    return refused.value.error.code, refused.value.error.message, refused.value.error.data


CONTENTS = {
    "text": [{"text": "Hello {{who}}."}],
    "picture": [{"mimeType": "image/png", "data": PNG}],
    "sound": [{"mimeType": "audio/wav", "data": PNG}],
    "attached": [{"uri": "data://{{who}}", "mimeType": "application/json", "text": '{"who": "{{who}}", "n": {{n}}}'}],
    "packed": [{"uri": "data://zip", "mimeType": "application/zip", "data": PNG}],
}


@every_mode
async def test_tools_answer_pieces_of_content_of_every_kind(connect: Connect, mode: str) -> None:
    tool = {"name": "all", "description": ".", "content": [piece for each in CONTENTS.values() for piece in each]}
    async with connect(mode, tools=[tool]) as client:
        given = {"who": 'a "b"', "n": "1"}
        everything = (await client.call_tool("all", given)).content
    assert [type(piece).__name__ for piece in everything] == [
        "TextContent",
        "ImageContent",
        "AudioContent",
        "EmbeddedResource",
        "EmbeddedResource",
    ]
    text, image, _sound, attached, packed = everything
    assert isinstance(text, mcp_types.TextContent)
    assert text.text == 'Hello a "b".'
    assert isinstance(image, mcp_types.ImageContent)
    assert (image.data, image.mime_type) == (PNG, "image/png")
    assert isinstance(attached, mcp_types.EmbeddedResource)
    assert isinstance(attached.resource, mcp_types.TextResourceContents)
    assert json.loads(attached.resource.text) == {"who": 'a "b"', "n": "1"}
    assert isinstance(packed, mcp_types.EmbeddedResource)
    assert isinstance(packed.resource, mcp_types.BlobResourceContents)
    assert packed.resource.blob == PNG


async def test_a_tool_can_state_that_it_fails(connect: Connect) -> None:
    tool = {"name": "t", "description": ".", "isError": True, "content": [{"text": "It failed."}]}
    async with connect("legacy", tools=[tool]) as client:
        result = await client.call_tool("t", {})
    assert result.is_error
    assert result.content == [mcp_types.TextContent(text="It failed.")]


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        ({}, "a piece of content has neither `text` nor `data` nor `location`"),
        ({"text": "a", "data": "YQ=="}, "a piece of content has `text` and `data`"),
        ({"data": "YQ=="}, "bytes of no media type can only be told as a resource"),
        ({"data": "?", "mimeType": "image/png"}, "`data` is not Base64: Only base64 data is allowed"),
        ({"location": "nowhere.png"}, "the file of a piece of content cannot be read: "),
    ],
)
def test_a_piece_that_cannot_be_told_leaves_its_tool_out(tmp_path: Path, piece: dict[str, str], message: str) -> None:
    examined = examine(write(tmp_path, tools=[{"name": "t", "description": ".", "content": [piece]}]))
    assert [code for code, _text in told(examined)][:1] == ["CNT001"]
    assert told(examined)[0][1].startswith(message)
    assert offered(examined).operations == ()


RESOURCES = [
    {"name": "note", "display": "A note", "uri": "data://note", "mimeType": "text/plain", "text": "Hi"},
    {"name": "dot", "uri": "data://dot", "description": "D.", "mimeType": "image/png", "data": PNG},
    {"name": "user", "uri": "data://users/{id}/profile", "description": "U.", "mimeType": "application/json",
     "text": '{"id": "{{id}}"}'},
    {"name": "kind", "uri": "data://kinds/{{kind}}", "description": "K.",
     "inputParameters": [{"name": "kind", "type": "string", "enum": ["beta", "alpha", "alphabet"]}],
     "outputParameters": [{"name": "kind", "type": "string", "value": "{{kind}}"}]},
    {"name": "docs", "uri": "docs://all/", "description": "Docs.", "location": "file:///./docs"},
    {"name": "one", "uri": "docs://one", "description": "One.", "location": "./docs/a b.txt"},
]  # fmt: skip


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "deep").mkdir(parents=True)
    (folder / "a b.txt").write_text("text", encoding="utf-8")
    (folder / "deep" / "x.png").write_bytes(b"\x89PNG")
    (folder / ".env").write_text("SECRET=1", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "linked").symlink_to(tmp_path)
    return folder


@every_mode
async def test_resources_are_listed_with_files_and_apart_from_templates(
    connect: Connect, docs: Path, mode: str
) -> None:
    async with connect(mode, resources=RESOURCES) as client:
        resources = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
    assert [(item.uri, item.name, item.title, item.mime_type, item.size) for item in resources] == [
        ("data://note", "note", "A note", "text/plain", None),
        ("data://dot", "dot", None, "image/png", None),
        ("docs://all/a%20b.txt", "a b.txt", None, "text/plain", 4),
        ("docs://all/deep/x.png", "deep/x.png", None, "image/png", 4),
        ("docs://one", "one", None, "text/plain", 4),
    ]
    assert [(item.uri_template, item.name) for item in templates] == [
        ("data://users/{id}/profile", "user"),
        ("data://kinds/{kind}", "kind"),
    ]


@every_mode
async def test_resources_are_read_as_text_or_bytes(connect: Connect, docs: Path, mode: str) -> None:
    async with connect(mode, resources=RESOURCES) as client:
        read = {}
        for uri in (
            "data://note",
            "data://users/a%22b/profile",
            "data://kinds/beta",
            "docs://all/a%20b.txt",
            "docs://one",
        ):
            (content,) = (await client.read_resource(uri)).contents
            assert isinstance(content, mcp_types.TextResourceContents)
            assert content.uri == uri
            read[uri] = (content.mime_type, content.text)
        (dot,) = (await client.read_resource("data://dot")).contents
        (picture,) = (await client.read_resource("docs://all/deep/x.png")).contents
        (docs / "a b.txt").write_text("changed", encoding="utf-8")
        (changed,) = (await client.read_resource("docs://one")).contents
    assert read == {
        "data://note": ("text/plain", "Hi"),
        "data://users/a%22b/profile": ("application/json", '{"id": "a\\"b"}'),
        "data://kinds/beta": ("application/json", '{"kind":"beta"}'),
        "docs://all/a%20b.txt": ("text/plain", "text"),
        "docs://one": ("text/plain", "text"),
    }
    assert isinstance(dot, mcp_types.BlobResourceContents)
    assert dot.blob == PNG
    assert isinstance(picture, mcp_types.BlobResourceContents)
    assert base64.b64decode(picture.blob) == b"\x89PNG"
    assert isinstance(changed, mcp_types.TextResourceContents)
    assert changed.text == "changed"


@pytest.mark.parametrize(
    "uri",
    [
        "data://nothing",
        "docs://all",
        "docs://all/",
        "docs://all/nothing.txt",
        "docs://all/../secret.txt",
        "docs://all/%2e%2e/secret.txt",
        "docs://all/..%2fsecret.txt",
        "docs://all/deep%2fx.png",
        "docs://all/link.txt",
        "docs://all/linked/secret.txt",
        "docs://all/.env",
        "docs://all/%ff",
        "docs://all//a%20b.txt",
        "data://users/a/b/profile",
        "data://users//profile",
    ],
)
@pytest.mark.parametrize(("mode", "code"), [("legacy", -32002), ("2026-07-28", -32602)])
async def test_what_is_no_resource_is_not_found_and_nothing_around_a_folder_is_shown(
    connect: Connect, docs: Path, uri: str, mode: str, code: int
) -> None:
    async with connect(mode, resources=RESOURCES) as client:
        assert await refusal(client.read_resource(uri)) == (code, f"Resource not found: {uri}", {"uri": uri})


async def test_a_value_that_a_placeholder_does_not_allow_is_told(connect: Connect, docs: Path) -> None:
    async with connect("legacy", resources=RESOURCES) as client:
        code, message, _data = await refusal(client.read_resource("data://kinds/gamma"))
    assert code == -32602
    assert message == "Invalid params: `kind` must be one of `beta`, `alpha`, `alphabet`, not the string `gamma`"


async def test_a_file_that_is_larger_than_allowed_is_not_shown(connect: Connect, docs: Path) -> None:
    async with connect("legacy", resources=RESOURCES, maxBinarySize="3B") as client:
        code, message, _data = await refusal(client.read_resource("docs://one"))
    assert code == -32603
    assert message == "The resource cannot be read: it has more than 3 bytes, the most this server shows"


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        ({"uri": "a://b", "text": "x", "data": "eA=="}, ("RES001", "a resource has `text` and `data`")),
        ({"uri": "a://{b}{c}", "text": "x"},
         ("RES002", "this address cannot be served: nothing stands between two placeholders, so neither has an end")),
        ({"uri": "a://{b}", "location": "./docs"},
         ("RES002", "a file or a folder has an address without placeholders")),
        ({"uri": "a://b", "location": "https://x.test/"},
         ("RES002", "`https://x.test/` is no file or folder of this machine")),
    ],
)  # fmt: skip
def test_a_resource_that_cannot_be_served_is_left_out(
    tmp_path: Path, resource: dict[str, str], found: tuple[str, str]
) -> None:
    examined = examine(write(tmp_path, resources=[{"name": "n", "description": ".", **resource}]))
    assert told(examined)[0] == found
    assert offered(examined).resources == ()


PROMPTS = [
    {"name": "plain", "description": "P.", "template": [{"role": "user", "content": "Say hello."}]},
    {"name": "filled", "display": "Filled", "description": "F.",
     "arguments": [{"name": "who", "description": "W."},
                   {"name": "tone", "description": "T.", "required": False, "enum": ["warm", "dry", "WARMER"]}],
     "template": [{"role": "user", "content": "Greet {{who}}{{ tone }}."}, {"role": "assistant", "content": "Hello."}]},
    {"name": "shown", "description": "S.", "arguments": [{"name": "uri", "description": "U."}],
     "template": [{"role": "user", "content": {"uri": "{{uri}}", "mimeType": "text/plain", "text": "It."}},
                  {"role": "user", "content": {"mimeType": "image/png", "data": PNG}}]},
    {"name": "file", "location": "prompt.md", "arguments": [{"name": "what", "description": "W."}]},
]  # fmt: skip


@pytest.fixture
def prompt_file(tmp_path: Path) -> Path:
    file = tmp_path / "prompt.md"
    file.write_text("Review {{what}}.", encoding="utf-8")
    return file


@every_mode
async def test_prompts_are_listed_and_filled_in_one_pass(connect: Connect, prompt_file: Path, mode: str) -> None:
    async with connect(mode, prompts=PROMPTS) as client:
        listed = (await client.list_prompts()).prompts
        plain = await client.get_prompt("plain")
        filled = await client.get_prompt("filled", {"who": "{{tone}}", "tone": "!"})
        short = await client.get_prompt("filled", {"who": "Ann"})
        from_file = await client.get_prompt("file", {"what": "{{what}}"})
        shown = await client.get_prompt("shown", {"uri": "data://it"})
    assert [(prompt.name, prompt.title) for prompt in listed] == [
        ("plain", None),
        ("filled", "Filled"),
        ("shown", None),
        ("file", None),
    ]
    assert [(argument.name, argument.required) for argument in listed[1].arguments or []] == [
        ("who", True),
        ("tone", False),
    ]
    assert said(plain) == [("user", "Say hello.")]
    assert said(filled) == [("user", "Greet {{tone}}!."), ("assistant", "Hello.")]
    assert said(short)[0] == ("user", "Greet Ann.")
    assert said(from_file) == [("user", "Review {{what}}.")]
    resource, image = (message.content for message in shown.messages)
    assert isinstance(resource, mcp_types.EmbeddedResource)
    assert (resource.resource.uri, resource.resource.mime_type) == ("data://it", "text/plain")
    assert isinstance(image, mcp_types.ImageContent)


def said(result: mcp_types.GetPromptResult) -> list[tuple[str, str]]:
    texts = [(message.role, message.content) for message in result.messages]
    return [(role, content.text) for role, content in texts if isinstance(content, mcp_types.TextContent)]


async def test_everything_wrong_with_a_prompt_s_arguments_is_told_at_once(connect: Connect, prompt_file: Path) -> None:
    async with connect("2026-07-28", prompts=PROMPTS) as client:
        code, message, _data = await refusal(client.get_prompt("filled", {"ton": "dry"}))
        assert code == -32602
        assert message == "Invalid params: `who` is required; there is no argument `ton`: did you mean `tone`?"
        _code, message, _data = await refusal(client.get_prompt("fille", {}))
        assert message == "Unknown prompt: fille (did you mean `filled`?)"


@pytest.mark.parametrize(
    ("prompt", "found", "is_served"),
    [
        ({}, ("PRM001", "the prompt `p` has neither `template` nor `location`"), False),
        ({"location": "nothing.md"}, ("PRM001", "the file of a prompt cannot be read: "), False),
        ({"template": [{"content": "{{whom}}"}]},
         ("PRM002", "the prompt `p` has no argument `whom`: its place stays as it is"), True),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_prompt_is_told(
    tmp_path: Path, prompt: dict[str, Any], found: tuple[str, str], *, is_served: bool
) -> None:
    examined = examine(write(tmp_path, prompts=[{"name": "p", "description": ".", **prompt}]))
    code, message = told(examined)[0]
    assert code == found[0]
    assert message.startswith(found[1])
    assert bool(offered(examined).prompts) is is_served


@every_mode
async def test_enums_of_arguments_and_placeholders_are_completed(
    connect: Connect, prompt_file: Path, docs: Path, mode: str
) -> None:
    async with connect(mode, prompts=PROMPTS, resources=RESOURCES) as client:
        prompt = mcp_types.PromptReference(name="filled")
        template = mcp_types.ResourceTemplateReference(uri="data://kinds/{kind}")
        tones = (await client.complete(prompt, {"name": "tone", "value": "WAR"})).completion
        nothing = (await client.complete(prompt, {"name": "who", "value": "A"})).completion
        kinds = (await client.complete(template, {"name": "kind", "value": "al"})).completion
        inside = (await client.complete(template, {"name": "kind", "value": "bet"})).completion
        code, message, _data = await refusal(client.complete(prompt, {"name": "tune", "value": ""}))
    assert (tones.values, tones.total, tones.has_more) == (["warm", "WARMER"], 2, False)
    assert nothing.values == []
    assert kinds.values == ["alpha", "alphabet"]
    assert inside.values == ["beta", "alphabet"]
    assert (code, message) == (
        -32602,
        "Invalid params: the prompt `filled` has no argument `tune`: known: `who`, `tone`",
    )


def test_pages_hold_every_entry_once_and_cursors_survive_a_restart() -> None:
    items = [{"name": f"t{number}"} for number in range(7)]
    marks = Marks(Era.LEGACY)
    seen, cursor = [], None
    while True:
        page = json.loads(pages_of("tools", items, marks, size=3).page(cursor))  # as another process would write them
        seen += page["tools"]
        cursor = page.get("nextCursor")
        if cursor is None:
            break
    assert seen == items
    first = json.loads(pages_of("tools", items, marks, size=3).first)
    for changed, stray in ((items[1:], first["nextCursor"]), (items, "abc"), (items, 3), (items, "")):
        with pytest.raises(ProtocolError, match="unknown `cursor`"):
            pages_of("tools", changed, marks, size=3).page(stray)


async def test_long_lists_come_in_pages(connect: Connect) -> None:
    tools = [{"name": f"t{number}", "description": ".", "content": [{"text": "x"}]} for number in range(1001)]
    async with connect("legacy", tools=tools) as client:
        first = await client.list_tools()
        assert first.next_cursor is not None
        second = await client.list_tools(cursor=first.next_cursor)
    assert [len(first.tools), len(second.tools)] == [1000, 1]
    assert second.next_cursor is None


def test_the_plan_of_a_server_holds_what_it_shows(tmp_path: Path, docs: Path, prompt_file: Path) -> None:
    server = offered(examine(write(tmp_path, resources=RESOURCES, prompts=PROMPTS)))
    assert [resource.name for resource in server.resources] == ["note", "dot", "user", "kind", "docs", "one"]
    assert [prompt.name for prompt in server.prompts] == ["plain", "filled", "shown", "file"]
    assert replace(server, resources=(), prompts=()).offers_something is False


def test_the_plan_tells_resources_prompts_and_safe_names(
    tmp_path: Path, docs: Path, prompt_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = [{"name": "say hello", "description": ".", "content": [{"text": "x"}]}]
    file = write(tmp_path, tools=tools, resources=RESOURCES, prompts=PROMPTS)
    with pytest.raises(SystemExit):
        main(["plan", str(file)])
    shown = capsys.readouterr().out
    assert "  say hello\n    served as say_hello\n" in shown
    assert "  resource data://users/{id}/profile\n    from   mock\n" in shown
    assert f"  resource docs://all/\n    from   {docs}\n" in shown
    assert "  prompt filled(who, tone?)\n" in shown
