"""The program from a terminal: exit codes, streams, and errors that name the way out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.cli import read_history, turn_from
from assistant.errors import BadInputError
from tests.corpus_text import write_site

ARTICLE = "naltrexone-anti-inflammatory-dose"


def followup(*arguments, stdin=None, **environment):
    """Run the command in a fresh process."""
    return subprocess.run(
        [sys.executable, "-m", "assistant.cli", *arguments],
        capture_output=True,
        text=True,
        input=stdin,
        env={**os.environ, **environment},
        check=False,
    )


def test_help_names_every_command_and_loads_no_model():
    code = "import sys\nfrom assistant.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print({'torch', 'gradio', 'onnxruntime', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")
    readme = Path("README.md").read_text(encoding="utf-8")
    for command in ("ask", "chat", "serve", "index", "corpus", "feedback", "eval", "verify"):
        assert f"\n  {command} " in done.stdout
        assert f"`followup {command}" in readme


def test_wrong_usage_exits_with_2():
    assert followup("ask").returncode == 2
    assert followup("ask", "dose?", "--reader", "king").returncode == 2
    assert followup("nonsense").returncode == 2


def test_a_missing_corpus_is_named_with_the_way_out(tmp_path):
    done = followup("ask", "dose?", "--corpus", str(tmp_path / "nowhere"), FOLLOWUP_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_reports_file_and_line_and_exits_with_1(tmp_path):
    site = write_site(tmp_path / "corpus")
    path = site / "articles" / "zorvastin-gout.md"
    path.write_text(path.read_text(encoding="utf-8").replace('status: "under-review"', 'status: "blessed"'), encoding="utf-8")
    done = followup("corpus", "check", "--corpus", str(site))
    assert done.returncode == 1
    assert "articles/zorvastin-gout.md:7: error" in done.stdout


def test_list_shows_articles_with_status_references_and_passages(tmp_path):
    done = followup("corpus", "list", "--corpus", str(write_site(tmp_path / "corpus")))
    assert done.returncode == 0
    assert done.stdout.startswith("zorvastin-gout\tunder-review\t2 references\t")


@pytest.mark.parametrize("text", ["nonsense", '{"asked": "x"}', "[3]", '[{"question": "dose"}]'])
def test_a_bad_history_is_refused_with_its_place(tmp_path, text):
    path = tmp_path / "history.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError, match=r"history\.json"):
        read_history(path)


def test_history_takes_questions_and_printed_answers():
    assert turn_from("dose?", "x").asked == "dose?"
    turn = turn_from({"asked": "why?", "interpreted": "why naltrexone?", "passages": ["a#1"], "suggestions": ["b"]}, "x")
    assert (turn.interpreted, turn.passages, turn.suggestions) == ("why naltrexone?", ("a#1",), ("b",))


@pytest.mark.slow
def test_ask_prints_one_json_object_and_exits_by_outcome():
    done = followup("ask", "What is the maximum dose?", "--article", ARTICLE, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert {"outcome", "interpreted", "claims", "citations", "notices", "suggestions", "reason", "disclaimer", "receipt"} <= set(
        answer
    )
    assert "4.5 mg" in answer["claims"][0]["text"]
    assert followup("ask", "What is the dose of duloxetine?", "--article", ARTICLE).returncode == 3
    assert followup("ask", "dose?", "--article", "nope").returncode == 1


@pytest.mark.slow
def test_a_printed_answer_is_history_for_the_next_question(tmp_path):
    first = json.loads(followup("ask", "What dose should I start with?", "--article", ARTICLE, "--json").stdout)
    path = tmp_path / "history.json"
    path.write_text(json.dumps([first]), encoding="utf-8")
    done = followup("ask", "And the maximum?", "--article", ARTICLE, "--history", str(path), "--json")
    assert json.loads(done.stdout)["interpreted"] == "And the maximum (dose; naltrexone)?"


@pytest.mark.slow
def test_verify_exits_with_0_for_the_same_answer_and_3_for_another(tmp_path):
    printed = followup("ask", "What is the maximum dose?", "--article", ARTICLE, "--json").stdout
    path = tmp_path / "receipt.json"
    path.write_text(printed, encoding="utf-8")
    done = followup("verify", str(path))
    assert done.returncode == 0
    assert done.stdout.strip().endswith("The same answer, byte for byte.")
    assert followup("verify", "-", stdin=json.dumps(json.loads(printed)["receipt"])).returncode == 0
    path.write_text(printed.replace("4.5 mg", "45 mg"), encoding="utf-8")
    done = followup("verify", str(path), "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["same"] is False


def test_a_receipt_that_cannot_be_used_ends_with_1_and_its_cause(tmp_path):
    done = followup("verify", str(tmp_path / "none.json"))
    assert done.returncode == 1
    assert "none.json" in done.stderr
    done = followup("verify", "-", stdin="[]")
    assert done.returncode == 1
    assert "stdin holds no receipt" in done.stderr
    assert followup("verify").returncode == 2


@pytest.mark.slow
def test_chat_keeps_the_conversation():
    done = followup("chat", "--article", ARTICLE, stdin="What dose should I start with?\nAnd the maximum?\n\n")
    assert done.returncode == 0
    assert "Interpreted as: And the maximum (dose; naltrexone)?" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("text", ["x" * 1_000_000, "\x07\x1b[31m", "\udcff\udcfe", ""])
def test_a_hostile_question_ends_with_a_message_and_a_code(text):
    code = "import sys\nfrom assistant.cli import main\nmain(['ask', '--', sys.stdin.read()])" if len(text) > 100_000 else None
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "assistant.cli", "ask", "--", text]
    done = subprocess.run(
        command, input=text if code else None, capture_output=True, text=True, errors="surrogateescape", check=False
    )
    assert done.returncode in (1, 3)
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() or done.stderr.strip()


@pytest.mark.slow
def test_asking_loads_neither_torch_nor_gradio():
    code = (
        "import sys\nfrom assistant.cli import main\n"
        "try: main(['ask', 'What is the maximum dose?'])\nexcept SystemExit: pass\n"
        "print('heavy:', {'torch', 'gradio', 'sentence_transformers', 'transformers'} & set(sys.modules))"
    )
    followup("index")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("heavy: set()")


@pytest.mark.slow
def test_a_corrupt_file_is_named_and_the_rest_answers(tmp_path):
    site = write_site(tmp_path / "corpus")
    (site / "references" / "okafor-2021.md").write_bytes(b"\xff\xfe\x00")
    done = followup("ask", "What is the usual dose?", "--article", "zorvastin-gout", "--corpus", str(site))
    assert done.returncode == 0
    assert "references/okafor-2021.md:1" in done.stderr
    assert "20 mg" in done.stdout


@pytest.mark.slow
def test_a_missing_model_is_named_with_the_way_out(tmp_path):
    done = followup("ask", "dose?", FOLLOWUP_ENCODER=str(tmp_path / "no-model"))
    assert done.returncode == 1
    assert "no-model" in done.stderr
    assert "'packaged'" in done.stderr
    assert "Traceback" not in done.stderr
