"""There is no container engine in the test suite: what the files name must at least exist."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.config import load_config

DOCKERFILE = Path("Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(Path("compose.yaml").read_text(encoding="utf-8"))
IGNORED = Path(".dockerignore").read_text(encoding="utf-8").splitlines()


def test_every_path_that_the_image_copies_exists_and_is_not_ignored() -> None:
    copied = [line.split()[1] for line in DOCKERFILE.splitlines() if re.match(r"COPY (?!--from)", line)]
    assert {"requirements.txt", "parsers", "service"} <= set(copied)
    for path in copied:
        assert Path(path).exists()
        assert f"!{path}" in IGNORED


def test_the_image_has_all_that_its_modules_import() -> None:
    """The simulator and replay read fixtures/ only when asked to; nothing else leaves the image."""
    for path in [*Path("service").rglob("*.py"), *Path("parsers").rglob("*.py")]:
        assert not re.search(r"^\s*(from|import) (tests|tools|benchmarks)\b", path.read_text(), re.MULTILINE)


def commands() -> list[list[str]]:
    found = re.findall(r"(?:CMD|ENTRYPOINT) (\[.*\])", DOCKERFILE)
    return [json.loads(text) for text in found]


def test_every_module_and_command_that_the_image_starts_exists() -> None:
    from service.cli import app  # noqa: PLC0415 - the names are read off the command line itself

    names = {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    started = commands()
    assert ["python", "-m", "service"] in started
    assert importlib.util.find_spec("service.__main__")
    for command in started:
        words = command[3:] if command[:2] == ["python", "-m"] else command
        if words:
            assert words[0] in names
    for service in ("photos", "migrate"):
        words = COMPOSE["services"][service].get("command")
        assert words is None or words[0] in names


def test_the_image_is_pinned_and_runs_as_its_own_user() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(set(images)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", images[0])
    assert DOCKERFILE.index("USER photos") < DOCKERFILE.index("ENTRYPOINT")
    assert "--require-hashes" in DOCKERFILE
    assert not re.search(r"(?i)(password|secret|token)\s*=", DOCKERFILE)


def test_every_file_and_service_that_compose_names_exists() -> None:
    services = COMPOSE["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        assert "build" in service or re.search(r":[^:]*\d", service["image"]), "an image is pinned"
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert Path(source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_the_deployed_configuration_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Path("deploy/listing-photos.toml").read_text(encoding="utf-8")
    secrets = set(re.findall(r"/run/secrets/(\w+)", text))
    assert secrets <= set(COMPOSE["services"]["photos"]["secrets"])
    for secret in secrets:
        (tmp_path / secret).write_text("x" * 16, encoding="utf-8")
    file = tmp_path / "listing-photos.toml"
    file.write_text(text.replace("/run/secrets", str(tmp_path)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    config = load_config(file)
    assert config.web is not None
    port = config.web.address[1]
    assert COMPOSE["services"]["photos"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"http://127.0.0.1:{port}/healthz" in COMPOSE["services"]["photos"]["healthcheck"]["test"][-1]
    hosts = {re.sub(r".*?(//|@)(\w+)[:/].*", r"\2", url) for url in (config.store.url, config.catalog.url)}
    assert hosts & set(COMPOSE["services"])
