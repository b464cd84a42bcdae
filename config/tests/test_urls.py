"""Paths that belong to no app: documentation, redirects, unknown paths."""

import json
import re

import pytest
from django.test import Client
from django.urls import get_resolver

from accounts.models import User
from config.apidocs.problem_guide import problem_guides
from config.devserver.paths import ROOT


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False, enforce_csrf_checks=True)


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_api_path_with_a_slash_redirects(browser: Client, method: str) -> None:
    answer = getattr(browser, method)("/api/schema/?format=json")
    assert (answer.status_code, answer["Location"]) == (308, "/api/schema?format=json")


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/nothing/", "/api/", "/api//evil.example/"])
def test_an_unknown_api_path_is_a_problem(browser: Client, path: str) -> None:
    answer = browser.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["type"] == "/api/problems#not-found"


@pytest.mark.parametrize("path", ["/api/start", "/api/policy", "/api/problems", "/api/postman.json", "/api/schema"])
def test_documents_take_no_post(browser: Client, path: str) -> None:
    answer = browser.post(path, headers={"accept": "application/json"})
    assert answer.status_code == 405
    assert "GET" in answer["Allow"]
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
def test_an_unknown_page_is_a_page(browser: Client) -> None:
    answer = browser.get("/nothing/here")
    assert answer.status_code == 404
    page = answer.content.decode()
    assert "Page not found" in page
    assert "URLResolver" not in page
    assert "Check the address, or go back to all stocks." in page


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/models/%00", "/stocks/%00", "/admin/accounts/plan/%00/change/"])
def test_a_nul_byte_in_a_page_address_is_not_found(browser: Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "Page not found" in answer.content.decode()


def test_a_nul_byte_in_a_query_of_the_admin_is_a_bad_request(admin_client: Client) -> None:
    for query in ("symbol=%00", "q=%00"):
        answer = admin_client.get(f"/admin/marketdata/instrument/?{query}")
        assert answer.status_code == 400
        assert "Bad request" in answer.content.decode()
    assert admin_client.get("/admin/marketdata/instrument/?q=%C3%A4").status_code == 200


def test_a_foreign_host_gets_an_error_page(browser: Client) -> None:
    answer = browser.get("/", headers={"host": "elsewhere.example"})
    assert answer.status_code == 400
    assert "Bad request" in answer.content.decode()


@pytest.mark.django_db
def test_a_staff_page_is_denied_to_others(browser: Client, django_user_model: type[User]) -> None:
    browser.force_login(django_user_model.objects.create_user(email="ada@example.com", password="a long one 1"))
    answer = browser.get("/providers")
    assert answer.status_code == 403
    assert "Your account does not have permission" in answer.content.decode()


def test_the_schema_is_openapi_3_1_in_both_forms(browser: Client) -> None:
    as_json = browser.get("/api/schema?format=json").json()
    assert as_json["openapi"].startswith("3.1")
    assert "/api/v1/predict" in as_json["paths"]
    assert browser.get("/api/schema").content.startswith(b"openapi: 3.1")


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc"])
def test_documentation_comes_from_this_site(browser: Client, path: str) -> None:
    page = browser.get(path)
    assert page.status_code == 200
    assert "/static/drf_spectacular_sidecar/" in page.content.decode()
    assert "cdn." not in page.content.decode()


MAILED = "~ ^/accounts/(password/reset/key|confirm-email)/"


def test_the_proxy_sends_only_stream_and_forecasts_to_edge() -> None:
    configuration = (ROOT / "deploy" / "nginx" / "hindcast.conf").read_text()
    blocks = re.findall(r"location ([^{]+) \{([^}]*)\}", configuration)
    assert [path for path, block in blocks if "proxy_pass http://stream;" in block] == ["/ws/"]
    assert [path for path, block in blocks if "proxy_pass http://edge;" in block] == ["= /api/v1/predict"]
    assert [path for path, block in blocks if "proxy_pass http://web;" in block] == ["/api/", MAILED, "/"]


def test_errors_of_the_proxy_match_those_of_the_api() -> None:
    configuration = (ROOT / "deploy" / "nginx" / "hindcast.conf").read_text()
    responses = re.findall(r"return (\d+) '(\{.*\})';", configuration)
    guide = problem_guides()
    assert len(responses) == 7
    for status, body in responses:
        problem = json.loads(body)
        known = guide[problem["type"].removeprefix("/api/problems#")].problem
        assert (known.status, known.title) == (problem["status"], problem["title"]) == (int(status), known.title)
        assert problem["detail"]
        assert problem["request_id"] == "$request_id"
    assert configuration.count("default_type application/problem+json;") == 1


def test_no_view_of_the_api_depends_on_the_csrf_middleware() -> None:
    # API calls skip it. REST framework views check the token themselves when a session authenticates.
    for pattern in get_resolver().url_patterns:
        if str(pattern.pattern) == "api/v1/":
            assert all(view.callback.csrf_exempt for view in pattern.url_patterns)  # type: ignore[union-attr]
