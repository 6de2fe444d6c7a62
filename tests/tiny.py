"""Tiny random Hugging Face checkpoints, built in code: real models on the real path, small enough for any test.

The tokenizer is byte-level (one token per byte) with the think tags as *special* tokens, the habit that loses
reasoning when a decoder skips special tokens. The chat template keeps every completion verbatim.
"""

from pathlib import Path
from typing import Any, Literal

Architecture = Literal["gpt2", "llama", "qwen2", "qwen3"]

SPECIAL = ("<|pad|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tiny_tokenizer() -> Any:
    """A byte-level `PreTrainedTokenizerFast`: 256 bytes and five special tokens; ends a turn with `<|im_end|>`."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={byte: index for index, byte in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|pad|>",
        chat_template=CHAT_TEMPLATE,
        reasoning_format="micro",
        clean_up_tokenization_spaces=False,
    )


def make_tiny_model(folder: Path, architecture: Architecture = "gpt2") -> Path:
    """Save a random causal LM (under 100k parameters, 4096 positions) and its tokenizer in `folder`; return it.

    The weights depend on the architecture alone, so two calls give the same checkpoint.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = make_tiny_tokenizer()
    ids = {
        "vocab_size": len(tokenizer),
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if architecture == "gpt2":
        config = AutoConfig.for_model("gpt2", n_positions=4096, n_embd=16, n_layer=2, n_head=2, **ids)
    else:
        config = AutoConfig.for_model(
            architecture,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=4096,
            tie_word_embeddings=True,
            **ids,
        )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "wpe" not in name:
                torch.nn.init.normal_(weight, std=0.25)  # the default 0.02 gives a near-uniform next token
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_chain(folder: Path, chain: dict[str, str], architecture: str = "llama") -> Path:
    """Save a model whose weights are set by hand, so that it draws the same on any processor.

    `chain[token]` holds the characters, or the one special token, that follow it, each as likely as the other; every
    answer begins after a newline. Embeddings are one-hot, attention and feed-forward are zero and stay so in training.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = make_tiny_tokenizer()
    size, width = len(tokenizer), 264
    config = AutoConfig.for_model(
        architecture,
        vocab_size=size,
        hidden_size=width,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" not in name:
                weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(size, width))
        for last, following in chain.items():
            [column] = tokenizer.encode(last)
            for row in tokenizer.encode(following):
                model.lm_head.weight[row, column] = 24 / width**0.5  # the norm scales by width**0.5
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


BANDIT = {"\n": "<think>", "<think>": "!", "!": "</think>", "</think>": "abcdefgh<|im_end|>"}
BANDIT |= dict.fromkeys("abcdefgh", "<|im_end|>")
"""Thinks, and then says a letter from a to h, or nothing."""
