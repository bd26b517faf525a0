"""From a prompt's text to token ids: the shared prefix, the question, and the point where the two answers part.

The three pieces are tokenized apart, in training and in scoring alike, so that a prefix computed once fits every
question. Text that is not ours (code, names) is tokenized as plain text: a spelled-out special token stays a string.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from nngpt_perfclf.prompts import Prompt
from nngpt_perfclf.types import PerfclfError

_MARK = "\ue000"


@dataclass(frozen=True)
class Asked:
    """One question in tokens: `prefix`, then `question` up to the token at which the two answers part, where the answer
    is `first` (the first option goes on) or `second`. For ``cifar-10`` and ``cifar-100`` one of the two is the
    terminator: no name is ever a prefix of another's whole spelling."""

    prefix: tuple[int, ...]
    question: tuple[int, ...]
    first: int
    second: int


def prompt_tokens(asked: Iterable[Asked]) -> int:
    """The tokens to read for these questions, each prefix counted once."""
    questions = list(asked)
    prefixes = {question.prefix for question in questions}
    return sum(map(len, prefixes)) + sum(len(question.question) for question in questions)


class Encoder:
    """A tokenizer with the form that its model expects: plain for base models, the chat template for chat models.

    Raises PerfclfError where a chat model comes without a template or a tokenizer has no terminator.
    """

    def __init__(self, tokenizer, chat: bool):
        self.tokenizer = tokenizer
        self.chat = chat
        if tokenizer.eos_token_id is None:
            raise PerfclfError(f"the tokenizer of {tokenizer.name_or_path} has no end-of-text token to close an answer")
        if chat and not tokenizer.chat_template:
            raise PerfclfError(f"{tokenizer.name_or_path} is configured as a chat model but has no chat template")
        self._prefix = lru_cache(4096)(self._prefix)
        self._option = lru_cache(1024)(self._option)

    def asked(self, prompt: Prompt) -> Asked:
        """The prompt with its answers parted; raises PerfclfError where both answers are the same tokens."""
        first, second = (self._option(option) for option in prompt.options)
        shared = next((at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
        if shared is None:
            raise PerfclfError(f"the answers {' and '.join(map(repr, prompt.options))} are the same to this model")
        question = (*self._text(prompt.question), *self._ending(), *first[:shared])
        return Asked(self._prefix(prompt.system, prompt.prefix), question, first[shared], second[shared])

    def row(self, prompt: Prompt, answer: str) -> tuple[list[int], list[int]]:
        """(prompt ids, completion ids with the terminator) of a training row."""
        ids = [*self._prefix(prompt.system, prompt.prefix), *self._text(prompt.question), *self._ending()]
        return ids, list(self._option(answer))

    def free(self, prompt: Prompt) -> list[int]:
        """The prompt alone, for free generation."""
        return self.row(prompt, prompt.options[0])[0]

    def _prefix(self, system: str, prefix: str) -> tuple[int, ...]:
        if self.chat:
            return (*self._special(self._chat(system)[0]), *self._text(prefix))
        start = [self.tokenizer.bos_token_id] if self.tokenizer.bos_token_id is not None else []
        lead = f"{system}\n\n" if system else ""
        return (*start, *self._text(lead + prefix))

    def _option(self, option: str) -> tuple[int, ...]:
        return (*self._text(option), self.tokenizer.eos_token_id)

    def _ending(self) -> list[int]:
        return self._special(self._chat("")[1]) if self.chat else []

    def _chat(self, system: str) -> tuple[str, str]:
        """What the chat template puts before and after the user's words."""
        turns = [{"role": "system", "content": system}] if system else []
        whole = self.tokenizer.apply_chat_template([*turns, {"role": "user", "content": _MARK}], tokenize=False,
                                                   add_generation_prompt=True)
        before, _, after = whole.partition(_MARK)
        return before, after

    def _text(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def _special(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]
