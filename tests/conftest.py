"""Fixtures that several packages' tests share: what set-up left in the cache folder."""

import pytest
from hypothesis import settings
from lemur_wheel import CACHE, Texts
from tiny import make_tiny_model

# On a busy machine an example's time says nothing about the code.
settings.register_profile("project", deadline=None, max_examples=40)
settings.load_profile("project")


@pytest.fixture(scope="session", autouse=True)
def made_up_networks_are_not_built_to_find_faults():
    """Few of them are whole, and a fork server takes seconds to start. `tests/advice/test_faults.py` builds some."""
    from nngpt_perfclf.advice import faults
    from nngpt_perfclf.profiling.types import Profile, Shapes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults, "profiles_of", lambda sides, datasets: [
            Profile("no sandbox", Shapes(3, 32, 10), reason="nothing is built in this test") for _ in sides])
        yield


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
