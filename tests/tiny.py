"""A randomly initialised Gemma of a few thousand weights, made in a second, with a tokenizer that spells bytes."""

from pathlib import Path

NAMES = ("celeba-gender", "cifar-10", "cifar-100", "imagenette", "mnist", "places365", "svhn")


def make_tiny_model(folder: Path, layers: int = 2) -> Path:
    """Write a dense model folder as `load` reads it."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    # Each digit is a token of its own, as in Gemma's vocabulary.
    raw.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False)])
    raw.decoder = decoders.ByteLevel()
    texts = [" ".join(NAMES)] * 3 + ["self.conv = nn.Conv2d(3, 64, 3)\nlr momentum batch"]
    raw.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<pad>", "<eos>", "<bos>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>",
                                        unk_token="<unk>")
    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=layers,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16,
        query_pre_attn_scalar=16, sliding_window=512, max_position_embeddings=4096,
        pad_token_id=0, eos_token_id=1, bos_token_id=2)
    Gemma3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
