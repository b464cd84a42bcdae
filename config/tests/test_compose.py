"""The compose file: settings reach every container, passwords may contain anything, each image is built once."""

import hashlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from kombu import Connection
from redis.connection import parse_url

from config.devserver.paths import ROOT
from config.settings.environment import EnvironmentProblem, read_environment

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("hindcast-")}
AWKWARD = 'p@ss/w#r%d: "it\'s" \\ $1 é'
STORE_URLS = {name: COMPOSE["x-settings"][name] for name in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")}


def _documented() -> set[str]:
    return set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_every_variable_of_the_example_reaches_every_process() -> None:
    assert set(OURS) == {"migrate", "bootstrap", "web", "edge", "beat", "worker", "trainer"}
    for service in OURS.values():
        assert service["env_file"] == [{"path": ".env", "required": False}]


def test_the_file_sets_only_variables_of_the_example() -> None:
    known = _documented() | {"PROMETHEUS_MULTIPROC_DIR"}
    used = {name for service in OURS.values() for name in service["environment"]}
    assert used - known == set()


def test_an_empty_example_is_the_default() -> None:
    example = {name: "" for name in _documented()}
    assert read_environment(example) == read_environment({})


def test_each_image_is_built_once() -> None:
    built = [service["image"] for service in OURS.values() if "build" in service]
    assert sorted(built) == ["hindcast-web", "hindcast-worker"]
    assert SERVICES["worker"]["build"]["args"] == {"SCORER": "${HINDCAST_SENTIMENT_SCORER:-lexicon}"}


def test_everything_is_stopped_with_patience_and_logs_are_bounded() -> None:
    for name, service in SERVICES.items():
        assert service["logging"]["options"]["max-size"], name
        assert name == "nginx" or int(service["stop_grace_period"].removesuffix("s")) >= 30, name


def test_the_port_is_open_to_this_host_only() -> None:
    (published,) = SERVICES["nginx"]["ports"]
    assert published.startswith("${HINDCAST_BIND:-127.0.0.1}:")
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]


def test_passwords_may_contain_any_character() -> None:
    passwords = dict.fromkeys(("POSTGRES_PASSWORD", "REDIS_PASSWORD", "RABBITMQ_PASSWORD"), AWKWARD)
    site = read_environment({**STORE_URLS, **passwords}).site
    assert site.database["PASSWORD"] == AWKWARD
    assert site.database["HOST"] == "postgres"
    assert parse_url(site.redis_url)["password"] == AWKWARD
    assert Connection(site.broker_url).password == AWKWARD


def test_a_url_with_its_own_password_keeps_it() -> None:
    site = read_environment({"REDIS_URL": "redis://default:own@redis:6379/0", "REDIS_PASSWORD": "other"}).site
    assert parse_url(site.redis_url)["password"] == "own"


def test_the_store_gets_the_digest_of_any_password(tmp_path: Path) -> None:
    server = tmp_path / "valkey-server"
    server.write_text(f'#!/bin/sh\necho "$$ $1" > {tmp_path}/started\n')
    server.chmod(0o755)
    shell, option, script = SERVICES["redis"]["command"]
    script = script.replace("$$", "$").replace("/run/valkey", str(tmp_path))
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "REDIS_PASSWORD": AWKWARD}
    with subprocess.Popen([shell, option, script], env=variables) as process:
        assert process.wait() == 0
    written = tmp_path / "valkey.conf"
    digest = hashlib.sha256(AWKWARD.encode()).hexdigest()
    assert written.read_text().splitlines()[0] == f"user default on #{digest} ~* &* +@all"
    assert written.stat().st_mode & 0o077 == 0
    # The server replaces the shell, so that it receives the signals.
    assert (tmp_path / "started").read_text() == f"{process.pid} {written}\n"


def test_plain_http_is_for_loopback_names_only() -> None:
    read_environment({"HINDCAST_HTTPS": "off", "HINDCAST_ALLOWED_HOSTS": "localhost"})
    with pytest.raises(EnvironmentProblem, match="HINDCAST_HTTPS can be off only if HINDCAST_ALLOWED_HOSTS lists no"):
        read_environment({"HINDCAST_HTTPS": "off", "HINDCAST_ALLOWED_HOSTS": "localhost,hindcast.example"})
