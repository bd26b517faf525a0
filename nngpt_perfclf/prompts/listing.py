"""What the verb `prompts` shows: the templates, one of them with an example, or those of an NNGPT file."""

from nngpt_perfclf.code_view.view import code_view, estimate_tokens
from nngpt_perfclf.config import Config
from nngpt_perfclf.datasets.properties import dataset_properties
from nngpt_perfclf.nngpt_prompts.templates import NngptTemplate, load_nngpt
from nngpt_perfclf.prompts.template import Prompt, Template, find_template, render, templates
from nngpt_perfclf.types import PerfclfError, Question, Recipe

EXAMPLE_CODE = '''\
class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_shape[1], 32, kernel_size=3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, kernel_size=3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.classifier = nn.Sequential(nn.Dropout(prm['dropout']), nn.Linear(64, out_shape[0]))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))
'''
_EXAMPLE = Question(EXAMPLE_CODE, "cifar-10", "svhn", Recipe(0.01, 0.9, 64, 0.2, "norm_64_flip"),
                    Recipe(0.003, 0.85, 256, 0.3, "echo_32"))
# Values that a row of NNGPT's tables might have, for the columns of its comparison templates.
_EXAMPLE_ROW = {
    "nn": "example", "nn_code": EXAMPLE_CODE, "epoch": 1, "dataset": "cifar-10", "dataset_2": "svhn", "accuracy": 0.51,
    "accuracy_2": 0.62, "norm_acc": 0.6181, "norm_acc_2": 0.6739, "better_dataset": "svhn", "metric": "acc",
    "task": "img-classification"}
_COLUMNS = {"images": "num_train_images", "size": "img_size", "channels": "num_channels", "classes": "num_classes"}


def describe(config: Config, name: str | None = None, nngpt: str | None = None) -> dict:
    """The templates, plugins' among them, as rows, or with `name` one of them and an example of it; with `nngpt`, a
    path, the same for the templates of an NNGPT file. Raises PerfclfError for an unknown name."""
    if nngpt is not None:
        return _describe_nngpt(load_nngpt(nngpt), name)
    if name is not None:
        return _shown(find_template(name), config)
    return {"templates": [{"name": template.name, "version": template.version, "fields": list(template.fields),
                           "tokens_of_a_question": estimate_tokens(_example(template, config).question)}
                          for template in templates().values()]}


def _example(template: Template, config: Config) -> Prompt:
    view = code_view(EXAMPLE_CODE, config.code_view, config.code_tokens) if template.reads_code else None
    return render(template, _EXAMPLE, dataset_properties(config.datasets), view,
                  extra={field: "score" if field == "goal" else 0.5 for field in template.extra})


def _shown(template: Template, config: Config) -> dict:
    prompt = _example(template, config)
    return {"name": template.name, "version": template.version, "fields": list(template.fields),
            "system": template.system, "prefix": template.prefix, "question": template.question,
            "example": prompt.system + prompt.prefix + prompt.question, "options": list(prompt.options)}


def _describe_nngpt(nngpt_templates: dict[str, NngptTemplate], name: str | None) -> dict:
    rows = [{"key": template.key, "columns": list(template.fields), "lines": len(template.config["prompt"]),
             "code_cut_at": template.config.get("nn_code_max_chars")} for template in nngpt_templates.values()]
    if name is not None and name not in nngpt_templates:
        raise PerfclfError(f"unknown template {name!r}; the file has {', '.join(sorted(nngpt_templates))}")
    template = nngpt_templates[name] if name is not None else next(iter(nngpt_templates.values()))
    row = dict(_EXAMPLE_ROW)
    for side, dataset in (("1", "cifar-10"), ("2", "svhn")):
        properties = dataset_properties()[dataset]
        row |= {f"{column}_{side}": getattr(properties, field) for field, column in _COLUMNS.items()}
    # Columns that only other tasks have show their own names.
    row |= {column: f"<{column}>" for column in template.fields if column not in row}
    form = "train" if "output" in template.config else "test"
    try:
        prompt = template.render(row, form)
    except PerfclfError as error:
        # Some templates of other tasks take values that their own pipelines work out.
        return {"templates": rows, "key": template.key, "no_example": str(error)}
    return {"templates": rows, "key": template.key, "form": form, "system": prompt.system, "user": prompt.user,
            "completion": prompt.completion}
