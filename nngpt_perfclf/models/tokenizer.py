"""A tokenizer's file read without transformers, for models that are asked without a chat template."""

from __future__ import annotations

from pathlib import Path

from nngpt_perfclf.files import read_json
from nngpt_perfclf.types import PerfclfError

FILE, SETTINGS = "tokenizer.json", "tokenizer_config.json"


class PlainTokenizer:
    """As much of transformers' tokenizer as `Encoder` uses; text that spells a special token stays text."""

    chat_template = None

    def __init__(self, folder: Path):
        from tokenizers import Tokenizer

        self.name_or_path = str(folder)
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / FILE))
        except Exception as error:  # what the library raises has no class of its own
            raise PerfclfError(f"the tokenizer in {folder / FILE} is damaged: {error}") from error
        self._tokenizer.encode_special_tokens = True
        settings = read_json(folder / SETTINGS)
        self.bos_token_id, self.eos_token_id = (self._id(settings.get(name)) for name in ("bos_token", "eos_token"))

    def __call__(self, text: str, **_) -> dict[str, list[int]]:
        """The tokens of the text alone, whatever it spells."""
        return {"input_ids": self._tokenizer.encode(text, add_special_tokens=False).ids}

    def _id(self, token: str | dict | None) -> int | None:
        """A special token is written as a string, or with its settings."""
        content = token["content"] if isinstance(token, dict) else token
        return None if content is None else self._tokenizer.token_to_id(content)
