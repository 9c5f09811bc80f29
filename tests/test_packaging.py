"""What is installed is what is meant: one import name, the corpus inside, and a README that runs."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_installs_one_name_and_carries_the_corpus(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"assistant"}
    assert "assistant/data/corpus/articles/naltrexone-anti-inflammatory-dose.md" in names
    assert "assistant/data/eval/followups.jsonl" in names
    assert "assistant/lexicon/synonyms.toml" in names
    assert "assistant/web/static/page.js" in names


@pytest.mark.slow
def test_the_readmes_python_block_runs():
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("answered ")


def test_the_readme_names_every_command_of_the_makefile():
    targets = re.findall(r"^(app|test):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"make {target}" in readme for target in targets)
