import pytest
from tiny import make_tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def tiny(tiny_folder):
    """A tiny model in float32, ready to score."""
    from nngpt_perfclf.models.language import load

    return load(tiny_folder, precision="float32")
