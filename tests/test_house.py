"""The house rules that a machine can hold: layering, lengths, environment, and the README's commands."""

import ast
import itertools
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
LAYERS = """
shapes config embedded blocks models datasets results stm problems losses decoding manifold terms metrics attempts batch
optimizer baselines records verdicts tables progress stages anatomy solutions landscape curvature trajectory clustering
heterogeneity encoder estimates study measure_landscape measure_contents measure_controls measurements findings
findings_contents findings_controls answers style plots live dashboard explorer analyze_results export report
alternatives speed race growth benchmark run_phase1a reference
""".split()  # noqa: SIM905
MODULES = sorted(path.stem for path in (ROOT / "dcm_helpers").glob("*.py") if path.stem != "__init__")


def test_every_module_has_its_layer():
    assert sorted(LAYERS) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_the_layers_below(module):
    tree = ast.parse((ROOT / "dcm_helpers" / f"{module}.py").read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "dcm_helpers":
                imported |= {alias.name for alias in node.names}
            elif node.module.startswith("dcm_helpers."):
                imported.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("dcm_helpers.")}
    above = {name for name in imported if LAYERS.index(name) >= LAYERS.index(module)}
    assert not above, f"{module} imports from {above}, which stand above it"


@pytest.mark.parametrize("module", MODULES)
def test_modules_stay_small_and_documented(module):
    source = (ROOT / "dcm_helpers" / f"{module}.py").read_text()
    assert source.count("\n") <= 310, "a module that outgrows 300 lines is two ideas"
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node) or node.name == "main", f"{module}.{node.name} has no docstring"


def test_only_one_place_shifts_and_no_labels_are_passed():
    for module in MODULES:
        source = (ROOT / "dcm_helpers" / f"{module}.py").read_text()
        if module not in ("alternatives", "plots"):  # a figure's labels are another thing
            assert "labels=" not in source, "Hugging Face models shift labels once more"
        # the alternatives are written apart from the project's own way, to be compared with it
        if module not in ("losses", "decoding", "alternatives"):
            assert ".logits" not in source, "logits are read in losses (aligned) and decoding (next token) only"


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_committed_clean(path):
    """No outputs, no widget state, no place on someone's machine; one parameters cell; small ideas of code."""
    assert re.fullmatch(r"\d\d_[a-z_]+\.ipynb", path.name)
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code), "strip the outputs"
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info", "dcm"}
    rooted = r"(?<![\w.)}>/])/(?:\w[\w.-]*/)+"
    places = "|".join(f"/{name}/" for name in ("home", "Users", "root", "tmp"))
    assert not re.search(rf"{rooted}|{places}|[A-Z]:\\\\", text), "an absolute path"
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in code) == 1
    assert any("assert " in "".join(cell["source"]) for cell in code)
    lengths = sorted(len(cell["source"]) for cell in code[2:])
    assert lengths[len(lengths) // 2] <= 6 and lengths[-1] <= 15, "one idea of code a cell"
    assert notebook["cells"][0]["source"][0].startswith("# ")


def test_the_ordered_notebooks_are_all_there():
    names = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert [name[:2] for name in names] == [f"{number:02d}" for number in range(8)]
    for name, following in itertools.pairwise(names):
        text = (ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
        assert f"Next: `{following}`" in text


def test_conda_environment_is_the_projects_own():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-e .[test]"], "dependencies are declared once, in pyproject.toml"
    assert f"python{project['requires-python']}" in environment["dependencies"]
    assert len(environment["dependencies"]) == 3


def test_dependencies_are_bounded_and_torch_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    everything = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    assert all(re.search(r"<\d|==\d", requirement) for requirement in everything)
    assert "torch==2.13.0" in everything
    names = {re.split(r"[<>=]", requirement)[0] for requirement in everything}
    assert names >= {"torch", "transformers", "datasets", "jupyterlab", "ipywidgets", "plotly", "umap-learn", "nbval"}


def test_ci_runs_the_readmes_test_command():
    readme, ci = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    command = ci.strip().splitlines()[-1].replace(" -q -e", " -e")
    assert command.endswith("-m pytest") and command in readme
