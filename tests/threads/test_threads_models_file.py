from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from capably.threads.models import ModelsFileError, read_models
from capably.threads.settings import ModelSettings

if TYPE_CHECKING:
    from tests.threads.conftest import ScriptedModel, Serve

YAML = """
models:
  fast:
    url: http://127.0.0.1:11434/v1
    model: llama3.2
  good: {url: https://api.example/v1, key_env: GOOD_KEY, timeout: 120}
  echo: {local: offline}
"""
TOML = """
[models.fast]
url = "http://127.0.0.1:11434/v1"
model = "llama3.2"
[models.good]
url = "https://api.example/v1"
key_env = "GOOD_KEY"
timeout = 120
[models.echo]
local = "offline"
"""


@pytest.mark.parametrize(("name", "text"), [("m.yaml", YAML), ("m.toml", TOML)])
def test_a_file_names_endpoints_and_the_environment_has_their_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv("GOOD_KEY", "sk-good")
    (tmp_path / name).write_text(text)
    assert read_models(tmp_path / name) == (
        ModelSettings("fast", "http://127.0.0.1:11434/v1", "llama3.2", None, ""),
        ModelSettings("good", "https://api.example/v1", None, "sk-good", "GOOD_KEY", 120.0),
        ModelSettings("echo", None, "offline"),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: []", "has no mapping 'models'"),
        ("- x", "has no mapping 'models'"),
        ("models: {a: x}", "models.a is not a mapping with 'url' or 'local'"),
        ("models: {a: {url: ftp://x}}", "models.a: 'url' must start with http:// or https://"),
        ("models: {a: {url: http://x, key: sk}}", "models.a: 'key' is not known; there are key_env, local, model"),
        ("models: {a: {url: http://x, timeout: soon}}", "'timeout' is a number of seconds"),
        ("models: {a: {url: http://x, key_env: NOT_SET_ANYWHERE}}", "the environment variable NOT_SET_ANYWHERE"),
        ("models: {a: {local: gpt}}", "'local' is 'smollm2' or 'offline'"),
        ("models: [", "cannot be read: while parsing"),
    ],
)
def test_a_file_that_says_something_else_is_told_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    with pytest.raises(ModelsFileError) as told:
        read_models(path)
    assert says in str(told.value)
    assert str(path) in str(told.value)


def test_each_run_is_answered_by_the_model_it_names(serve: "Serve", model: "ScriptedModel") -> None:
    models = (ModelSettings("fast", model.url, "llama3.2"), ModelSettings("echo", None, "offline"))
    service = serve(models=models)
    thread = service.thread("hi")
    service.ended(service.start(thread, service.assistant(model="fast")))
    service.ended(service.start(thread, service.assistant(model="echo")))
    unknown = service.ended(service.start(thread, service.assistant(model="gpt-9")))
    assert [body["model"] for _, body in model.requests] == ["llama3.2"]
    assert service.texts(thread)[1][1] == "Hello there"
    assert service.texts(thread)[2][1].startswith("This is capably's offline responder")
    assert unknown.last_error is not None
    assert unknown.last_error.message == "No model 'gpt-9' is configured here; there are: fast, echo."
