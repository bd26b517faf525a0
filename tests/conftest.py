import pytest
from hypothesis import settings
from tiny import make_tiny_model

# On a busy machine an example's time says nothing about the code.
settings.register_profile("project", deadline=None, max_examples=40)
settings.load_profile("project")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """The folder of a tiny language model, made once."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")
