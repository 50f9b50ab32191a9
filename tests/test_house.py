"""The house rules that a machine can hold: layering, lengths, environment, and the README's commands."""

import ast
import importlib
import itertools
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import setuptools
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dcm_helpers"
FILES = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
COMMANDS = {
    "run_phase1a",
    "phase1a_worker",
    "analyze_results",
    "report",
    "gallery",
    "reference",
    "ablate",
    "learn_start",
    "train_diffuser",
    "ask",
    "judge",
    "learnability",
    "benchmark",
}
ROOMS = [
    "config",
    *("fetched", "generator", "pairs", "stm", "watch", "objective", "optimize", "learned", "workers", "store", "runs"),
    *("look", "inquiry", "solutions", "controls", "remedies", "study"),
    *("diffuser", "ladder", "targets", "bench", "show", "explore", "pages"),
]
ORDER = [
    "errors",
    "config",
    "shapes",
    "seeds",
    "stats",
    "files",
    "forms",
    "markup",
    "shell",
    *ROOMS[1:],
    COMMANDS - {"ablate"},
    {"ablate"},
]
"""Rooms, and files that are no room, each importing only from those before it."""
APART = [
    *({"look", "bench"}, {"study", "bench"}),
    *({"solutions", "controls"}, {"solutions", "remedies"}, {"controls", "remedies"}),
]
"""Rooms that do not import each other."""
LONGEST_CHAIN = 14
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
INSIDE = [path for path in MODULES if path.stem != "__init__"]


def room(path):
    """The room that a module stands in, or its own name where it stands in none."""
    return path.parts[0] if len(path.parts) > 1 else path.stem


def place(name):
    """How far down the order a room or a file stands."""
    return next(index for index, each in enumerate(ORDER) if name == each or name in each)


def public_names(name):
    """What a room exports: name -> module that defines it."""
    stub = ast.parse((PACKAGE / name / "__init__.pyi").read_text())
    return {alias.asname: node.module for node in stub.body for alias in node.names}


def imports(path):
    """What a module imports of the package: (room or file, module or None, name) for each name."""
    found = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module.split(".")[0] == "dcm_helpers":
                parts = [*node.module.split(".")[1:], None, None]
                found |= {(parts[0] or alias.name, parts[1], alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("dcm_helpers.") for alias in node.names), "from dcm_helpers... import"
    return found


def test_every_file_has_its_place():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    placed = [each if isinstance(each, set) else {each} for each in ORDER]
    assert rooms | FILES == set().union(*placed) and sum(map(len, placed)) == len(set().union(*placed))


@pytest.mark.parametrize("path", INSIDE, ids=str)
def test_a_room_imports_only_from_rooms_before_it_and_by_their_doors(path):
    mine = room(path)
    for other, module, name in imports(path):
        if other == mine:
            continue
        assert place(other) < place(mine), f"{path} imports {name} from {other}, which stands above it"
        assert not any({mine, other} == pair for pair in APART), f"{mine} and {other} do not import each other"
        if (PACKAGE / other).is_dir():
            assert module is None, f"{path} imports {name} past the door of {other}: from dcm_helpers.{other} import"
            assert name in public_names(other), f"{name} is private to {other}; export it in its __init__.pyi"


def test_chains_of_imports_stay_short():
    """Modules on the longest chain, names of a room counted as the module that defines them."""
    graph = {}
    for path in INSIDE:
        needed = set()
        for other, module, name in imports(path):
            if not (PACKAGE / other).is_dir():
                needed.add(Path(f"{other}.py"))
            else:
                module = module or (name if (PACKAGE / other / f"{name}.py").is_file() else public_names(other)[name])
                needed.add(Path(other) / f"{module}.py")
        graph[path] = needed
    longest = {}

    def chain(path, seen=()):
        assert path not in seen, f"a circle of imports: {seen}"
        if path not in longest:
            longest[path] = 1 + max((chain(each, (*seen, path)) for each in graph[path]), default=0)
        return longest[path]

    assert max(map(chain, graph)) <= LONGEST_CHAIN


@pytest.mark.parametrize("name", ROOMS)
def test_rooms_are_small_and_say_what_is_in_them(name):
    modules = [path.stem for path in INSIDE if room(path) == name]
    assert len(modules) <= 10, "a room above 10 files is two rooms"
    told = re.findall(r"^(\w+) +\S", ast.get_docstring(ast.parse((PACKAGE / name / "__init__.py").read_text())), re.M)
    assert sorted(set(told) & set(modules)) == modules, "the room's docstring names every file"
    exported = importlib.import_module(f"dcm_helpers.{name}")
    for public in public_names(name):
        assert callable(value := getattr(exported, public)) or value is not None


def test_the_door_opens_quickly_and_reads_the_environment_in_one_place():
    code = "import time; t = time.perf_counter(); import dcm_helpers; print(time.perf_counter() - t)"
    assert float(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT)) < 1
    readers = {path for path in INSIDE if "os.environ" in (PACKAGE / path).read_text()}
    # config has the DCM_ variables, layers looks for a compiler, pages hands parameters to the kernels that it starts
    # fleet sets Ray's
    elsewhere = ["generator/layers.py", "pages/execute.py", "workers/fleet.py"]
    assert readers == {Path("config/names.py"), *map(Path, elsewhere)}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_comes_at_once(name):
    """It waits for no library that takes seconds to import, the known names that it tells included."""
    code = f"""
import sys
from dcm_helpers.{name} import main
try:
    main(["--help"])
finally:
    heavy = {{"torch", "transformers", "datasets", "sklearn"}} & set(sys.modules)
    print("heavy:", sorted(heavy), file=sys.stderr)
"""
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0 and "--help" in process.stdout, process.stderr
    assert process.stderr.strip() == "heavy: []"


@pytest.mark.parametrize("path", INSIDE, ids=str)
def test_modules_stay_small_and_documented(path):
    source = (PACKAGE / path).read_text()
    assert source.count("\n") <= 300, "a module that outgrows 300 lines is two ideas"
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node) or node.name == "main", f"{path}: {node.name} has no docstring"


def test_ids_are_never_taken_apart():
    """What a problem is stands in its fields; its id is only made, in one place for each kind, and compared."""
    for path in INSIDE:
        source = (PACKAGE / path).read_text()
        for sign in ('"/joint', '/joint"', "/restart", "/rephrased"):
            if sign in source:
                assert path in (Path("stm/problem.py"), Path("stm/variants.py"), Path("store/earlier.py")), path


def test_only_one_place_shifts_and_no_labels_are_passed():
    alternatives = Path("bench/alternatives.py")  # written apart from the project's own way, to be compared with it
    for path in INSIDE:
        source = (PACKAGE / path).read_text()
        if path not in (alternatives, Path("show/figures.py")):  # a figure's labels are another thing
            assert "labels=" not in source, "Hugging Face models shift labels once more"
        if path not in (Path("stm/score.py"), Path("stm/decode.py"), Path("generator/check.py"), alternatives):
            assert ".logits" not in source, "logits are read in score (aligned) and decode (next token) only"


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
    texts = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert not [each for each in texts if re.search(r"\\\\[a-zA-Z]", each)], "an equation escaped twice"


def test_the_ordered_notebooks_are_all_there():
    names = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert [name[:2] for name in names] == [f"{number:02d}" for number in range(9)]
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


def test_packaging_finds_every_room():
    """A package that was built holds all rooms, and the lists of what they export, which the doors read."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = setuptools.find_packages(ROOT, **settings["packages"]["find"])
    assert set(found) == {"dcm_helpers", *(f"dcm_helpers.{name}" for name in ROOMS)}
    assert settings["package-data"] == {"*": ["*.pyi", "*.js", "*.css"]}


def test_dependencies_are_bounded_and_torch_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    everything = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    assert all(re.search(r"<\d|==\d", requirement) for requirement in everything)
    assert "torch==2.13.0" in everything
    names = {re.split(r"[<>=]", requirement)[0] for requirement in everything}
    assert names >= {"torch", "transformers", "datasets", "jupyterlab", "ipywidgets", "plotly", "umap-learn", "nbval"}


def test_links_between_documents_lead_to_files_of_the_repository():
    tracked = set(subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines())
    for path in sorted(ROOT / name for name in tracked if name.endswith(".md")):
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
            if not link.startswith("http"):
                target = (path.parent / link).resolve().relative_to(ROOT).as_posix()
                assert target in tracked or any(name.startswith(f"{target}/") for name in tracked), f"{path}: {link}"


def test_ci_runs_the_readmes_test_command():
    readme, ci = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    command = ci.strip().splitlines()[-1].replace(" -q -e", " -e")
    assert command.endswith("-m pytest") and command in readme
