"""Settings from the environment: defaults, all complaints together, no secrets in messages, strict production."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from config.devserver.paths import ROOT
from config.settings.environment import EnvironmentProblem, read_environment

GOOD_SECRET = "hJ4kq9ZrT2" * 6
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "HINDCAST_SECRET_KEY": GOOD_SECRET,
    "HINDCAST_ALLOWED_HOSTS": "hindcast.example",
    "HINDCAST_SITE_URL": "https://hindcast.example",
    "HINDCAST_KEY_PEPPERS": f"2:{GOOD_SECRET[::-1]},1:{GOOD_SECRET[1:]}",
    "DATABASE_URL": "postgres://hindcast@127.0.0.1:1/hindcast",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def test_an_empty_environment_has_the_documented_defaults() -> None:
    environment = read_environment({})
    assert environment.site.port == 8000
    assert environment.limits.anonymous_per_minute == 10
    assert environment.forecasts.cache_seconds == 600
    assert environment.marketdata.providers == ("yahoo", "sample")
    assert environment.site.site_url == "http://127.0.0.1:8000"


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        read_environment(
            {
                "HINDCAST_PORT": "many",
                "HINDCAST_CACHE_SECONDS": "5",
                "HINDCAST_PROVIDERS": "yahoo,oracle",
                "HINDCAST_LIMIT_ANONYMOUS": "0",
                "HINDCAST_LOG_FORMAT": "poem",
            }
        )
    named = sorted(re.findall(r"^HINDCAST_[A-Z_]+", "\n".join(caught.value.complaints), re.MULTILINE))
    assert named == [
        "HINDCAST_CACHE_SECONDS",
        "HINDCAST_LIMIT_ANONYMOUS",
        "HINDCAST_LOG_FORMAT",
        "HINDCAST_PORT",
        "HINDCAST_PROVIDERS",
    ]


def test_url_problem_does_not_reveal_the_password() -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        read_environment({"DATABASE_URL": "mysql://me:hunter2@host/name", "REDIS_URL": "memcached://me:hunter2@host"})
    assert len(caught.value.complaints) == 2
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgres://me:hunter2@host:port/name"),
        ("REDIS_URL", "redis://:hunter2@host:70000/0"),
        ("EMAIL_URL", "smtp://me:hunter2@[::1/"),
        ("CELERY_BROKER_URL", "amqp://me:hunter2@host:five//"),
        ("HINDCAST_YAHOO_TIMEOUT_S", "nan"),
        ("HINDCAST_YAHOO_TIMEOUT_S", "inf"),
        ("HINDCAST_STALE_AFTER_SESSIONS", "-1"),
    ],
)
def test_invalid_value_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        read_environment({name: value})
    (complaint,) = caught.value.complaints
    assert name in complaint
    assert "hunter2" not in complaint


def test_alpha_vantage_needs_a_key(tmp_path: Path) -> None:
    without = read_environment({"HINDCAST_PROVIDERS": "alpha_vantage,sample"}).marketdata
    assert (without.providers, without.without_key, without.alpha_vantage) == (("sample",), ("alpha_vantage",), None)
    with_key = read_environment({"ALPHA_VANTAGE_API_KEY": "hunter2"}).marketdata
    assert (with_key.providers, with_key.without_key) == (("yahoo", "alpha_vantage", "sample"), ())
    assert with_key.budget_for("alpha_vantage").per_day == 25
    assert "hunter2" not in repr(with_key)
    (tmp_path / "key").write_text("hunter3\n")
    from_file = read_environment({"ALPHA_VANTAGE_API_KEY_FILE": str(tmp_path / "key")}).marketdata
    assert from_file.alpha_vantage is not None
    assert from_file.alpha_vantage.api_key == "hunter3"


def test_secret_file_and_budget_problems_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "two").write_text("hunter2\nhunter3\n")
    with pytest.raises(EnvironmentProblem) as caught:
        read_environment(
            {
                "ALPHA_VANTAGE_API_KEY_FILE": str(tmp_path / "two"),
                "HINDCAST_ALPHA_VANTAGE_BUDGET": "25 a day",
                "HINDCAST_ALPHA_VANTAGE_TIMEOUT_S": "-1",
                "HINDCAST_PROVIDERS": "alpha_vantage",
            }
        )
    assert caught.value.complaints == (
        "ALPHA_VANTAGE_API_KEY_FILE names a file that does not contain one secret.",
        "HINDCAST_ALPHA_VANTAGE_TIMEOUT_S: the timeout must be positive.",
        "HINDCAST_ALPHA_VANTAGE_BUDGET: write a budget as 1/second,5/minute,25/day.",
        "HINDCAST_PROVIDERS, HINDCAST_YAHOO_TIMEOUT_S, HINDCAST_STALE_AFTER_SESSIONS, HINDCAST_QUOTE_SECONDS: "
        "name at least one provider; alpha_vantage needs "
        "ALPHA_VANTAGE_API_KEY.",
    )
    assert "hunter" not in str(caught.value)


def test_key_with_invalid_header_characters_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("clé-hunter2")
    with pytest.raises(EnvironmentProblem) as caught:
        read_environment({"NEWSAPI_KEY": "hunter2…", "X_BEARER_TOKEN_FILE": str(tmp_path / "key")})
    assert caught.value.complaints == (
        "NEWSAPI_KEY contains characters that no key has.",
        "X_BEARER_TOKEN_FILE names a file that does not contain one secret.",
    )


@pytest.mark.parametrize("kind", ["missing", "both"])
def test_secret_cannot_be_set_twice(tmp_path: Path, kind: str) -> None:
    variables = {"ALPHA_VANTAGE_API_KEY_FILE": str(tmp_path / "missing")}
    if kind == "both":
        variables["ALPHA_VANTAGE_API_KEY"] = "hunter2"
    with pytest.raises(EnvironmentProblem) as caught:
        read_environment(variables)
    assert len(caught.value.complaints) == 1
    assert "hunter2" not in str(caught.value)


def test_the_broker_is_redis_until_another_is_named() -> None:
    redis_only = read_environment({"REDIS_URL": "redis://here:1/2"})
    assert redis_only.site.broker_url == "redis://here:1/2"
    both = read_environment({"REDIS_URL": "redis://here:1/2", "CELERY_BROKER_URL": "amqp://there//"})
    assert both.site.broker_url == "amqp://there//"


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"HINDCAST_SECRET_KEY": ""}, "HINDCAST_SECRET_KEY must be set"),
        ({"HINDCAST_SECRET_KEY": "short"}, "at least 50 characters"),
        ({"HINDCAST_SECRET_KEY": "django-insecure-" + GOOD_SECRET}, "must be random, not a word or an example"),
        ({"HINDCAST_SECRET_KEY": "ab" * 30}, "must be random, not a word or an example"),
        ({"HINDCAST_ALLOWED_HOSTS": "*"}, "must list host names"),
        ({"HINDCAST_ALLOWED_HOSTS": "hindcast.example,.hindcast.example"}, "must list host names"),
        ({"HINDCAST_ALLOWED_HOSTS": " , "}, "HINDCAST_ALLOWED_HOSTS must be set"),
        ({"HINDCAST_ALLOWED_HOSTS": "https://hindcast.example"}, "without scheme, port or path"),
        ({"HINDCAST_ALLOWED_HOSTS": "hindcast.example, hindcast.example:443"}, "without scheme, port or path"),
        ({"HINDCAST_KEY_PEPPERS": "1:hunter2"}, "HINDCAST_KEY_PEPPERS must have at least 50 characters"),
        ({"HINDCAST_KEY_PEPPERS": "1:" + "change-me-" * 6}, "HINDCAST_KEY_PEPPERS must be random"),
        ({"HINDCAST_KEY_PEPPERS": f"1:{GOOD_SECRET}"}, "HINDCAST_KEY_PEPPERS must differ from HINDCAST_SECRET_KEY"),
        ({"HINDCAST_KEY_PEPPERS": GOOD_SECRET}, "write each pepper as ID:SECRET"),
        ({"HINDCAST_KEY_PEPPERS": f"1:{GOOD_SECRET[1:]},1:{GOOD_SECRET[2:]}"}, "each pepper needs an id of its own"),
        ({"HINDCAST_KEY_PEPPERS": ""}, "HINDCAST_KEY_PEPPERS must be set"),
        ({"HINDCAST_SECRET_KEY_FALLBACKS": "hunter2"}, "HINDCAST_SECRET_KEY_FALLBACKS must have at least 50"),
        ({"DEBUG": "True"}, "DEBUG must be empty"),
        ({"DJANGO_DEBUG": "1"}, "DJANGO_DEBUG must be empty"),
        ({"HINDCAST_SITE_URL": "http://hindcast.example"}, "HINDCAST_SITE_URL must start with https://"),
        ({"HINDCAST_SITE_URL": ""}, "HINDCAST_SITE_URL must be set"),
        ({"DATABASE_URL": ""}, "DATABASE_URL must be set"),
    ],
)
def test_production_refuses_unsafe_values(changed: dict[str, str], complaint: str, tmp_path: Path) -> None:
    finished = _import_settings({**PRODUCTION, **changed}, tmp_path)
    assert finished.returncode != 0
    assert complaint in finished.stderr


def test_production_reports_all_problems_together(tmp_path: Path) -> None:
    wrong = {"HINDCAST_SECRET_KEY": "short", "DATABASE_URL": "", "HINDCAST_PORT": "many"}
    errors = _import_settings({**PRODUCTION, **wrong}, tmp_path).stderr
    complaints = [line for line in errors.splitlines() if line.startswith("  - ")]
    assert sorted(complaint.split()[1] for complaint in complaints) == [
        "DATABASE_URL", "HINDCAST_PORT", "HINDCAST_SECRET_KEY",
    ]  # fmt: skip


def test_production_starts_with_what_it_needs(tmp_path: Path) -> None:
    assert _import_settings(PRODUCTION, tmp_path).stdout.split() == ["False", "True", "True"]


def test_production_accepts_host_spellings(tmp_path: Path) -> None:
    hosts = "hindcast.example, 10.0.0.7,[::1],web,a-b.hindcast.example."
    changed = {"HINDCAST_ALLOWED_HOSTS": hosts, "HINDCAST_SECRET_KEY_FALLBACKS": GOOD_SECRET[::-1]}
    errors = _import_settings({**PRODUCTION, **changed}, tmp_path, "ALLOWED_HOSTS")
    assert errors.stdout.split()[1] == "'10.0.0.7',", errors.stderr


def test_production_requires_https(tmp_path: Path) -> None:
    names = ("SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY")
    assert _import_settings(PRODUCTION, tmp_path, *names).stdout.split() == ["31536000", "True", "True", "True"]


def test_hsts_preload_and_plain_http_are_settings(tmp_path: Path) -> None:
    opted_in = _import_settings({**PRODUCTION, "HINDCAST_HSTS_PRELOAD": "on"}, tmp_path, "SECURE_HSTS_PRELOAD")
    assert opted_in.stdout.split() == ["True"]
    assert _import_settings(PRODUCTION, tmp_path, "SECURE_HSTS_PRELOAD").stdout.split() == ["False"]
    names = ("SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")
    here = {
        "HINDCAST_HTTPS": "off",
        "HINDCAST_ALLOWED_HOSTS": "localhost",
        "HINDCAST_SITE_URL": "http://localhost:8000",
    }
    plain = _import_settings({**PRODUCTION, **here}, tmp_path, *names)
    assert plain.stdout.split() == ["False", "0", "False", "False"]
    refused = _import_settings({**PRODUCTION, "HINDCAST_HTTPS": "off"}, tmp_path)
    assert "HINDCAST_HTTPS can be off only if" in refused.stderr


def test_production_binds_cookies_to_the_host(tmp_path: Path) -> None:
    names = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "CSRF_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE")
    shown = _import_settings(PRODUCTION, tmp_path, *names).stdout.split()
    assert shown == ["__Host-sessionid", "__Host-csrftoken", "True", "Lax"]


def test_form_action_allows_only_configured_providers(tmp_path: Path) -> None:
    github = {"GITHUB_CLIENT_ID": "an-id", "GITHUB_CLIENT_SECRET": "hunter2"}
    with_it = _import_settings({**PRODUCTION, **github}, tmp_path, "CONTENT_SECURITY_POLICY").stdout
    assert "'form-action': [\"'self'\", 'https://github.com']" in with_it
    without = _import_settings(PRODUCTION, tmp_path, "CONTENT_SECURITY_POLICY").stdout
    assert "'form-action': [\"'self'\"]" in without
    assert "unsafe" not in with_it


def test_each_clone_has_its_own_secret_key(tmp_path: Path) -> None:
    variables = {"DJANGO_SETTINGS_MODULE": "config.settings.local"}
    first, second = (_import_settings(variables, tmp_path, "SECRET_KEY").stdout for _ in range(2))
    assert first == second
    assert len(first) > 50
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_every_variable_that_is_read_is_in_the_example() -> None:
    sources = sorted((ROOT / "config" / "settings").glob("*.py"))
    read = set(
        re.findall(
            r'"((?:HINDCAST|CELERY|DATABASE|REDIS|EMAIL|SENTRY|YAHOO|ALPHA_VANTAGE)_[A-Z_]+)"', _text_of(sources)
        )
    )
    read -= set(re.findall(r"^([A-Z_]+) = ", (ROOT / "config" / "settings" / "base.py").read_text(), re.MULTILINE))
    documented = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert len(read) > 20
    assert read - documented == set()


def test_every_variable_of_the_compose_file_is_in_the_example() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    documented = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert len(used) > 7
    assert used - documented == set()


@pytest.mark.parametrize(("scorer", "installed"), [("lexicon", False), ("finbert", True)])
def test_worker_image_has_the_scorer_requirements(tmp_path: Path, scorer: str, installed: bool) -> None:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    (step,) = [line.removeprefix("RUN ") for line in lines.splitlines() if "ml.txt" in line and line.startswith("RUN")]
    pip = tmp_path / "pip"
    pip.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/pip_arguments\n')
    pip.chmod(0o755)
    subprocess.run(
        ["/bin/sh", "-c", step.replace("/venv/bin/pip", str(pip))],
        env={"SCORER": scorer, "TORCH_INDEX": "https://example.com"},
        check=True,
    )
    pip_arguments = (tmp_path / "pip_arguments").read_text()
    assert "/requirements/ml.txt" in pip_arguments
    assert ("--require-hashes -r /requirements/finbert.txt" in pip_arguments) is installed


def _text_of(paths: list[Path]) -> str:
    return "\n".join(path.read_text() for path in paths)


def _import_settings(variables: dict[str, str], data_dir: Path, *names: str) -> "subprocess.CompletedProcess[str]":
    shown = names or ("DEBUG", "SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE")
    code = f"from django.conf import settings; print(*(getattr(settings, name) for name in {shown}))"
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**environment, "HINDCAST_DATA_DIR": str(data_dir), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
