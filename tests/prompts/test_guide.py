import re
from pathlib import Path

import pytest
import yaml

from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.prompts import templates
from nngpt_perfclf.prompts.builder import FIELDS
from nngpt_perfclf.prompts.template import KNOWN

GUIDE = (Path(__file__).parents[2] / "docs" / "prompts.md").read_text(encoding="utf-8")


def blocks(language):
    return [re.sub(r"^ {3}", "", block, flags=re.MULTILINE)
            for block in re.findall(rf"```{language}\n(.*?)```", GUIDE, flags=re.DOTALL)]


def test_the_template_and_the_dataset_of_the_guide_load(tmp_path):
    template, datasets = blocks("yaml")
    (tmp_path / "short.yaml").write_text(template)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "more.yaml").write_text(datasets)
    assert templates([tmp_path])["short"].version == 1
    assert dataset_properties(tmp_path / "more" / "more.yaml").keys() >= yaml.safe_load(datasets).keys()


def test_the_plugin_of_the_guide_registers_its_folder(tmp_path):
    from nngpt_perfclf.plugins import get_plugin_manager

    (tmp_path / "my_prompts").mkdir()
    (tmp_path / "my_prompts" / "short.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "plugin.py").write_text(blocks("python")[0])
    namespace = {"__file__": str(tmp_path / "plugin.py"), "__name__": "plugin"}
    exec(compile(blocks("python")[0], "plugin.py", "exec"), namespace)
    plugin = type("Plugin", (), {"register_prompts": staticmethod(namespace["register_prompts"])})
    manager = get_plugin_manager(plugin, installed=False)
    assert "short" in templates([source for given in manager.hook.register_prompts() for source in given])


@pytest.mark.parametrize("field", sorted({*KNOWN, *FIELDS, "norm_a", "norm_b"}))
def test_the_guide_explains_every_field(field):
    assert f"`{field}`" in GUIDE or (field.endswith("_b") and f"`{field[:-2]}_a`" in GUIDE and "… `_b`" in GUIDE)


@pytest.mark.parametrize("line", ["= conv3:cin>32 bn relu max2 conv3>64 bn relu gap1 flat drop fc>n",
                                  "cifar-10: lr-2.0 mom.9 batch64 drop.2 img64 flip norm"])
def test_the_example_of_the_guide_is_the_verbs_own(line):
    from nngpt_perfclf.config import load_config
    from nngpt_perfclf.prompts import describe

    assert line in GUIDE
    assert f"{line}\n" in describe(load_config(), "code_recipe")["example"]
