import pytest


@pytest.fixture
def tiny(tiny_folder):
    """A tiny model in float32, ready to score."""
    from nngpt_perfclf.models.language import load

    return load(tiny_folder, precision="float32")
