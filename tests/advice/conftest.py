from dataclasses import replace

import pytest
from little_world import SETTINGS, little_corpus, made_profiles, made_structures

from nngpt_perfclf.advice import pairwise, pointwise, side_models, trees
from nngpt_perfclf.config import load_config
from nngpt_perfclf.tasks import TaskData
from nngpt_perfclf.tasks.task import load_task


@pytest.fixture(scope="session")
def world():
    """The little world's data."""
    config = load_config(overrides=SETTINGS)
    return TaskData(config, little_corpus(), load_task(config.task))


def made_up(patch):
    """Thirty trees, which are enough for one rule, and no wait for the sandbox: `test_structures` tests what is
    replaced here."""
    patch.setattr(trees, "TREES", 30)
    for module in (pointwise, side_models):
        patch.setattr(module, "structures_of", made_structures)
    patch.setattr(pointwise, "profiles_of", made_profiles)


@pytest.fixture(scope="module", autouse=True)
def nothing_is_built():
    with pytest.MonkeyPatch.context() as patch:
        made_up(patch)
        yield


@pytest.fixture
def little(world, tmp_path, monkeypatch):
    """Every verb finds the little world instead of LEMUR, and nobody's cache."""
    monkeypatch.setenv("NNGPT_PERFCLF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(TaskData, "load", staticmethod(lambda config: replace(world, config=config)))
    return world


@pytest.fixture(scope="session")
def runs(world, tmp_path_factory):
    """The run folders of both tree advisers, trained once: kind -> folder."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        made_up(patch)
        patch.setattr(TaskData, "load", staticmethod(lambda config: world))
        for module in (pairwise, pointwise):
            module.train(world.config, folder / module.KIND)
    return {kind: folder / kind for kind in (pairwise.KIND, pointwise.KIND)}


@pytest.fixture(scope="session")
def pretrained():
    """The pretrained language adviser on the real model, loaded once; nothing is kept on disk."""
    from nngpt_perfclf.advice import load_advisor

    return load_advisor("pretrained", load_config(overrides=["advice.answer_cache=false"]))
