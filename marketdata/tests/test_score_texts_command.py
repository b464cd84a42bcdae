"""`manage.py score_texts`: output format and unreadable files."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config.devserver.paths import ROOT
from config.devserver.servers import needs_servers


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text(
        "Shares plunge after weak results\n\nBoard meets on Friday\nRevenue beats estimates\n", encoding="utf-8"
    )
    return path


def score_file(path: Path, **options: Any) -> list[dict[str, Any]]:
    out = path.with_name("out.json")
    call_command("score_texts", str(path), json=str(out), **options)
    body = json.loads(out.read_text())
    assert list(body) == ["texts"]
    found: list[dict[str, Any]] = body["texts"]
    return found


def test_each_line_is_one_text(texts: Path) -> None:
    found = score_file(texts)
    assert [one["label"] for one in found] == ["negative", "neutral", "neutral", "positive"]
    assert all(set(one) == {"label", "score"} and -1 <= one["score"] <= 1 for one in found)
    assert found[1]["score"] == 0


def test_scores_are_printed_without_output_file(texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("score_texts", str(texts))
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 5
    assert printed[0].startswith("negative  -0.")
    assert printed[-1] == "4 texts scored by lexicon: 1 positive, 2 neutral, 1 negative."


def test_crlf_bom_and_missing_final_newline_are_read(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufeffShares plunge\r\nSales surge to a record".encode())
    assert [one["label"] for one in score_file(path)] == ["negative", "positive"]


def test_other_separators_do_not_split_lines(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("Shares\u2028plunge\x0btoday\x85now\n", encoding="utf-8")
    assert len(score_file(path)) == 1


def test_very_long_line_is_one_text(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("Profit surged. " * 200_000 + "\nMeeting on Friday\n", encoding="utf-8")
    assert [one["label"] for one in score_file(path)] == ["positive", "neutral"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"\x89PNG\r\n\x1a\n\xff\xfe", "not a UTF-8 text file"), (b"abc\0def\n", "not a text file"), (b"", "is empty")],
)
def test_non_text_file_is_an_error(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=sentence) as caught:
        call_command("score_texts", str(path))
    assert caught.value.returncode == 2


def test_unreadable_files_are_errors(tmp_path: Path, texts: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("score_texts", str(tmp_path / "missing.txt"))
    with pytest.raises(CommandError, match="Is a directory"):
        call_command("score_texts", str(tmp_path))
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("score_texts", str(texts), json=str(tmp_path / "no" / "out.json"))


def test_invalid_utf8_line_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes("Sales rose\n\nSales at the Café fell\n".encode("latin-1"))
    with pytest.raises(CommandError, match="not a UTF-8 text file: invalid bytes in line 3"):
        call_command("score_texts", str(path))


def test_input_file_is_not_overwritten(texts: Path) -> None:
    before = texts.read_bytes()
    other_name = texts.with_name("link.txt")
    other_name.symlink_to(texts)
    with pytest.raises(CommandError, match="Choose another output file") as caught:
        call_command("score_texts", str(texts), json=str(other_name))
    assert caught.value.returncode == 2
    assert texts.read_bytes() == before


def test_empty_output_name_is_an_error(texts: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("score_texts", str(texts), json="")


def test_closed_pipe_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("Sales rose\n" * 5_000, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "manage.py", "score_texts", str(path)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline().startswith(b"positive")
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 0


def test_command_needs_no_server(texts: Path) -> None:
    assert not needs_servers(["manage.py", "score_texts", "x"])
    variables = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    finished = subprocess.run(
        [sys.executable, "manage.py", "score_texts", str(texts)],
        cwd=ROOT, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.endswith("4 texts scored by lexicon: 1 positive, 2 neutral, 1 negative.\n")
