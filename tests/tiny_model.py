"""A real model with random weights behind /v1/chat/completions: ``python -m tests.tiny_model`` prints its port and serves."""

from __future__ import annotations

import socket
import sys
import time
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte."""
    letters = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<end>"]
    made = Tokenizer(models.BPE(vocab={letter: n for n, letter in enumerate(letters)}, merges=[]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        chat_template="{% for m in messages %}{{ m.content }}{% endfor %}",
    )


def network() -> LlamaForCausalLM:
    set_seed(1)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=257,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=16_384,
            eos_token_id=256,
            pad_token_id=256,
        )
    ).eval()


def create_app() -> FastAPI:
    app, words, model = FastAPI(), tokenizer(), network()

    @app.post("/v1/chat/completions")
    def complete(asked: dict[str, Any]) -> dict[str, Any]:
        tokens = words.apply_chat_template(asked["messages"], return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            out = model.generate(**tokens, max_new_tokens=min(asked["max_tokens"], 64), do_sample=False)
        length = tokens["input_ids"].shape[1]
        message = {"role": "assistant", "content": words.decode(out[0, length:], skip_special_tokens=True)}
        usage = {"prompt_tokens": length, "completion_tokens": out.shape[1] - length, "total_tokens": out.shape[1]}
        choice = {"index": 0, "message": message, "finish_reason": "length"}
        created = int(time.time())
        return {
            "id": "1",
            "object": "chat.completion",
            "created": created,
            "model": asked["model"],
            "choices": [choice],
            "usage": usage,
        }

    return app


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app()
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
