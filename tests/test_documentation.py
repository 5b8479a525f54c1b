"""What the documents tell people to type, copy or expect is tried here."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from service.cli import app
from service.config import Config, check_config
from service.record import app as record_app
from service.replay import app as replay_app
from service.sections import Section
from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import environment, service
from tools.make_configuration_page import TABLES, page

DOCUMENTS = [
    Path("README.md"),
    Path("CHANGELOG.md"),
    *sorted(Path("docs").glob("*.md")),
    Path("fixtures/README.md"),
]
README = Path("README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_every_file_that_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:parsers|service|tests|tools|docs)/[\w/.-]+\.\w+)`", text):
        assert Path(name).exists(), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_every_command_and_option_that_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    known = get_command(app).commands  # type: ignore[attr-defined]
    for words in re.findall(r"python -m service (\w[^\n`|#]*)", text):
        name, *rest = words.split()
        assert name in known, f"python -m service {name}"
        options = {option for parameter in known[name].params for option in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= options, words
    for module, command in (("replay", replay_app), ("record", record_app)):
        options = {option for parameter in get_command(command).params for option in parameter.opts}
        for words in re.findall(rf"python -m service\.{module}([^\n`|#]*)", text):
            assert {word.strip("[]") for word in words.split() if word.startswith("-")} <= options, words


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", Path("Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for target in re.findall(r"(?:`|^    )make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE):
        assert target in targets


def test_the_readmes_configuration_is_valid_with_every_line_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CREA_PASSWORD", "CREA_UA_PASSWORD", "S3_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    (text,) = blocks("toml")
    assert isinstance(check_config(tomllib.loads(text), "README.md"), Config)
    everything = re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE).replace(
        "/run/secrets/s3_secret", __file__
    )
    assert isinstance(check_config(tomllib.loads(everything), "README.md"), Config)


def test_the_readmes_reader_reads_the_bucket(tmp_path: Path) -> None:
    """The bucket is one that a replay has kept; its server is started again for the reader."""
    replayed = service("crea-standard-xml", "--json", "--keep", str(tmp_path), module="service.replay")
    manifests = json.loads(replayed.stdout)["manifests"]
    (code,) = blocks("python")
    named = re.search(r'"(crea-standard-xml/[^"]+)"', code)
    assert named
    assert named[1] in manifests, f"the README reads {named[1]}, the replay leaves {manifests}"
    with EmbeddedStore(tmp_path / "objects") as server:
        read = subprocess.run(
            [sys.executable, "-c", code],
            env=environment(server) | {"S3_HOST": server.endpoint},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert re.search(r"^\d+ True crea-standard-xml/\S+ \d+ \d+$", read.stdout, re.MULTILINE)


def test_the_readmes_table_is_what_make_replay_prints() -> None:
    """Every fixture and step stands in it, with its expected counts."""
    (table,) = [block for block in blocks("") if "downloaded" in block]
    for file in sorted(Path("fixtures").glob("*/*/expected.json")):
        step, fixture = file.parent.name, file.parent.parent.name
        cycle = json.loads(file.read_text(encoding="utf-8"))["cycle"]
        row = r"\s+".join([re.escape(fixture), re.escape(step), *(str(count) for count in cycle.values())])
        assert re.search(rf"^{row}\s.*\bok$", table, re.MULTILINE), f"{fixture} {step}"


def test_the_configuration_page_is_fresh_and_explains_every_key() -> None:
    assert Path("docs/CONFIGURATION.md").read_text(encoding="utf-8") == page()
    models: list[type[Section]] = [model for _, model in TABLES]
    for model in models:
        assert all(field.description for field in model.model_fields.values()), model.__name__


def test_the_documents_speak_of_the_project_alone() -> None:
    for path in DOCUMENTS:
        assert not re.search(r"/work/|/root/|\.pyenv", path.read_text(encoding="utf-8")), path
