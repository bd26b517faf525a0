"""Fixtures that several packages' tests share: what set-up left in the cache folder."""

import pytest
from hypothesis import settings
from lemur_wheel import CACHE, Texts
from tiny import make_tiny_model

# On a busy machine an example's time says nothing about the code.
settings.register_profile("project", deadline=None, max_examples=40)
settings.load_profile("project")


@pytest.fixture(scope="session")
def lemur_codes():
    """LEMUR's networks: name -> code."""
    return Texts("ab/nn/nn")


@pytest.fixture(scope="session")
def lemur_transforms():
    """LEMUR's image pipelines: name -> code."""
    return Texts("ab/nn/transform")


@pytest.fixture(scope="session")
def alexnet(lemur_codes):
    return lemur_codes["AlexNet"]


@pytest.fixture(scope="session")
def nngpt_prompts():
    """The folder of NNGPT's own prompt files."""
    folder = CACHE / "nn-gpt-1.0.6" / "ab" / "gpt" / "conf" / "prompt"
    assert folder.is_dir(), f"{folder} is missing; run make setup"
    return folder


@pytest.fixture(scope="session")
def gemma():
    """Gemma's tokenizer: text -> token ids."""
    from tokenizers import Tokenizer

    file = CACHE / "models" / "gemma-3-270m" / "tokenizer.json"
    assert file.is_file(), f"{file} is missing; run make setup"
    tokenizer = Tokenizer.from_file(str(file))
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """The folder of a tiny language model, made once."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")
