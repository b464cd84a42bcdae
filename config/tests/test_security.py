"""Security properties that no other test file covers; `docs/security.md` refers to them."""

import ast
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import jwt
import pytest
from django.conf import global_settings, settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils.module_loading import import_string

from accounts.models import User
from config.devserver.paths import ROOT

pytestmark = pytest.mark.django_db

SOURCES = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
PYTHON = [name for name in SOURCES if name.endswith(".py") and "/tests/" not in name]
SCRIPTS = [name for name in SOURCES if name.startswith("static/js/") and name.endswith(".js")]
TEMPLATES = [name for name in SOURCES if name.startswith("templates/") and name.endswith(".html")]
DANGEROUS_CALLS = {"eval", "exec", "compile", "__import__"}
DANGEROUS_MODULES = {"pickle", "marshal", "shelve", "dill", "xml", "lxml", "telnetlib", "ldap", "ldap3"}
WEAK_HASHES = {"md5", "sha1"}
# Templates whose `safe` text comes from this repository and never from input.
SAFE_TEMPLATES = {"templates/partials/field.html", "templates/api/manual.html", "templates/api/problems.html"}
PASSWORD = "correct horse battery staple"


@pytest.fixture
def member() -> User:
    return User.objects.create_user("ada@example.org", PASSWORD)


@pytest.fixture
def signed_in(member: User) -> Client:
    browser = Client()
    browser.force_login(member)
    return browser


def calls_of(path: str) -> list[ast.Call]:
    tree = ast.parse((ROOT / path).read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_source_calls_no_dangerous_function() -> None:
    found = [
        f"{path}:{call.lineno} {call.func.id}"
        for path in PYTHON
        for call in calls_of(path)
        if isinstance(call.func, ast.Name) and call.func.id in DANGEROUS_CALLS
    ]
    assert len(PYTHON) > 300
    assert found == []


def test_source_starts_no_shell() -> None:
    found = [
        f"{path}:{call.lineno}"
        for path in PYTHON
        for call in calls_of(path)
        if any(word.arg == "shell" for word in call.keywords)
        or ast.unparse(call.func) in {"os.system", "os.popen", "subprocess.getoutput", "commands.getoutput"}
    ]
    assert found == []


def test_source_imports_no_dangerous_module() -> None:
    found = []
    for path in PYTHON:
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path} {name}" for name in names if name.partition(".")[0] in DANGEROUS_MODULES]
    assert found == []


def test_source_uses_no_weak_hash() -> None:
    found = [
        f"{path}:{call.lineno}"
        for path in PYTHON
        for call in calls_of(path)
        if ast.unparse(call.func).rpartition(".")[2] in WEAK_HASHES
        and not any(word.arg == "usedforsecurity" for word in call.keywords)
    ]
    assert found == []


def test_templates_escape_all_input() -> None:
    unescaped = {
        name for name in TEMPLATES if re.search(r"\|\s*safe\b|autoescape\s+off|safeseq", (ROOT / name).read_text())
    }
    assert len(TEMPLATES) > 40
    assert unescaped == SAFE_TEMPLATES


def test_scripts_write_text_and_not_markup() -> None:
    own = [name for name in SCRIPTS if "vendor" not in name]
    pattern = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|postMessage|jsonp"
    assert own
    assert [name for name in own if re.search(pattern, (ROOT / name).read_text())] == []


def test_scripts_store_the_theme_only() -> None:
    stored = {
        name
        for name in SCRIPTS
        if re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", (ROOT / name).read_text())
    }
    assert stored == {"static/js/theme.js"}


def test_every_requirement_is_pinned_with_a_hash() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        if path.name == "torch.txt":
            continue
        entries = [line for line in path.read_text().replace("\\\n", " ").splitlines() if line[:1].isalnum()]
        assert entries, path
        assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == [], path


@pytest.mark.parametrize("excluded", [".git", ".env", ".data", ".venv", "**/tests"])
def test_images_contain_no_history_secrets_and_tests(excluded: str) -> None:
    assert excluded in (ROOT / ".dockerignore").read_text().splitlines()


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short 7", "too short"),
        ("password123", "too common"),
        ("1234567890123", "entirely numeric"),
        ("ada@example.org", "too similar"),
        ("Hindcast2026", "words of this site"),
        ("stock-forecast", "words of this site"),
        ("x" * 129, "too long"),
    ],
)
def test_guessable_passwords_are_refused(member: User, password: str, reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_password(password, member)
    assert reason in " ".join(refused.value.messages)


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "ünïcödé 火山 ß", "aaaabbbbccccd", "x y" * 21 + "z", " leading space!"]
)
def test_passwords_of_any_composition_are_accepted(member: User, password: str) -> None:
    validate_password(password, member)
    member.set_password(password)
    assert member.check_password(password)
    assert not member.check_password(password.strip() if password != password.strip() else password.upper())


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/signup/"])
def test_password_fields_are_masked_and_allow_password_managers(client: Client, path: str) -> None:
    page = client.get(path).content.decode()
    fields = re.findall(r'<input[^>]*name="password1?"[^>]*>', page)
    assert fields
    for field in fields:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field)
        assert "onpaste" not in field


@pytest.mark.parametrize("path", ["/accounts/", "/accounts/email/", "/accounts/keys", "/alerts/", "/accounts/usage"])
def test_private_pages_are_not_stored_in_caches(signed_in: Client, path: str) -> None:
    answer = signed_in.get(path)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]


def test_signing_out_ends_the_session_and_clears_the_browser(signed_in: Client) -> None:
    cookie = signed_in.cookies[settings.SESSION_COOKIE_NAME].value
    answer = signed_in.post("/accounts/logout/")
    assert answer["Clear-Site-Data"] == '"cache", "storage"'
    stolen = Client()
    stolen.cookies[settings.SESSION_COOKIE_NAME] = cookie
    assert stolen.get("/accounts/").status_code == 302


@pytest.mark.parametrize("path", ["/", "/accounts/", "/alerts/"])
def test_every_page_of_a_member_can_sign_out(signed_in: Client, path: str) -> None:
    assert reverse("account_logout") in signed_in.get(path).content.decode()


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_sign_in_leads_to_no_other_site(client: Client, member: User, target: str) -> None:
    form = {"login": member.email, "password": PASSWORD, "next": target}
    answer = client.post(f"/accounts/login/?next={target}", form)
    assert "evil" not in answer.get("Location", "")
    assert "javascript" not in answer.get("Location", "")


@pytest.mark.parametrize("path", ["/", "/api/v1/symbols", "/health/live", "/static/css/"])
def test_trace_is_refused(client: Client, path: str) -> None:
    assert client.generic("TRACE", path).status_code in (404, 405)


@pytest.mark.parametrize("path", ["/static/", "/static/js/", "/.git/HEAD", "/.env", "/static/../manage.py"])
def test_folders_and_private_files_are_not_served(client: Client, path: str) -> None:
    assert client.get(path).status_code in (302, 404)


@pytest.mark.parametrize("path", ["/", "/api/v1/symbols", "/api/v1/nothing", "/nothing", "/health/live", "/api/schema"])
def test_responses_name_their_type(client: Client, path: str) -> None:
    answer = client.get(path)
    kind, _, parameters = answer["Content-Type"].partition(";")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "json" in kind or "charset=utf-8" in parameters.replace(" ", "").lower()


def test_pages_protect_their_window_and_referrer(client: Client) -> None:
    answer = client.get("/")
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
def test_only_one_signature_algorithm_is_accepted(client: Client, algorithm: str) -> None:
    claims: dict[str, Any] = {"token_type": "access", "exp": 4_000_000_000, "jti": "a", "family": "0" * 32}
    token = jwt.encode(claims, "" if algorithm == "none" else settings.SECRET_KEY, algorithm=algorithm)
    answer = client.get("/api/v1/symbols", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["type"]) == (401, "/api/problems#credentials-refused")


def test_no_account_exists_by_default() -> None:
    assert not User.objects.exists()


def test_documented_periods_are_those_of_the_settings() -> None:
    text = " ".join((ROOT / "docs" / "security.md").read_text().split())
    limits, tokens = settings.HINDCAST_LIMITS, cast(dict[str, timedelta], settings.SIMPLE_JWT)
    assert f"A session ends {settings.SESSION_COOKIE_AGE // 86_400} days after" in text
    assert f"access tokens after {tokens['ACCESS_TOKEN_LIFETIME'].seconds // 60} minutes" in text
    assert f"refresh tokens after {tokens['REFRESH_TOKEN_LIFETIME'].days} days" in text
    assert f"{limits.attempts_per_address} a minute" in text
    assert f"request log for {settings.HINDCAST_IDENTITY.request_log_days} days" in text
    assert f"audit log for {settings.HINDCAST_IDENTITY.audit_days} days" in text


def test_compose_publishes_the_proxy_only() -> None:
    text = (Path(ROOT) / "docker-compose.yml").read_text()
    assert len(re.findall(r"^\s+ports:", text, re.MULTILINE)) == 1


def test_source_never_disables_certificate_checks() -> None:
    pattern = re.compile(r"verify\s*=\s*False|CERT_NONE|check_hostname\s*=\s*False|disable_warnings")
    # The store client obeys `ssl_cert_reqs=none` in the operator's URL, as redis-py does.
    assert [path for path in PYTHON if pattern.search((ROOT / path).read_text())] == ["store/commands.py"]


def test_production_hashes_passwords_slowly() -> None:
    hasher = import_string(global_settings.PASSWORD_HASHERS[0])()
    assert hasher.algorithm == "pbkdf2_sha256"
    assert hasher.iterations >= 600_000
    assert "PASSWORD_HASHERS" not in (ROOT / "config/settings/base.py").read_text()
    assert "PASSWORD_HASHERS" not in (ROOT / "config/settings/production.py").read_text()
