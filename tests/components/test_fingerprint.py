"""What code is: the modules that a source reaches. python -m pytest tests/components/test_fingerprint.py"""

import pytest

from components.fingerprint import Code

PROJECT = {
    "shapes/__init__.py": "",
    "shapes/square.py": "from . import corner\nSIDE = 4",
    "shapes/corner.py": "import shapes.deep.angle as angle",
    "shapes/deep/__init__.py": "",
    "shapes/deep/angle.py": "def right():\n    from ..round import circle\n    return circle",
    "shapes/round.py": "def circle(): ...",
    "shapes/template.txt": "a template",
    "shapes/unused.py": "import json",
    "loose/part.py": "VALUE = 1",
    "alone.py": "if False:\n    import shapes.round",
    "broken.py": "def (",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name, text in PROJECT.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def modules(source):
    return set(Code().reached(source)) - {"its own source"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import json, sys, os.path", set()),
        ("import shapes.round", {"shapes", "shapes.round", "shapes/template.txt"}),
        ("from shapes import round", {"shapes", "shapes.round", "shapes/template.txt"}),
        ("from shapes.round import circle", {"shapes", "shapes.round", "shapes/template.txt"}),
        ("def f():\n    import alone", {"alone", "shapes", "shapes.round", "shapes/template.txt"}),
        (
            "from shapes.square import SIDE",
            {
                *("shapes", "shapes.square", "shapes.corner", "shapes.deep", "shapes.deep.angle", "shapes.round"),
                "shapes/template.txt",
            },
        ),
        ("from loose import part", {"loose.part"}),
        ("__import__('loose.part')", {"loose.part"}),
        (
            "import importlib\nimportlib.import_module('alone')",
            {"alone", "shapes", "shapes.round", "shapes/template.txt"},
        ),
        ("gymnasium.make('shapes.round:circle')", {"shapes", "shapes.round", "shapes/template.txt"}),
        ("import nowhere.at.all", set()),
        ("import broken", {"broken"}),
        ("import (", set()),
    ],
)
def test_what_is_imported_is_reached_and_nothing_else(project, source, expected):
    assert modules(source) == expected


def test_of_what_is_installed_the_version_counts(project):
    reached = Code().reached("import numpy\nfrom PIL import Image")
    assert set(reached) == {"its own source", "numpy", "pillow"}
    assert reached["numpy"].count(".") == 2


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("shapes/round.py", True),
        ("shapes/corner.py", True),
        ("shapes/__init__.py", True),
        ("shapes/template.txt", True),
        ("shapes/unused.py", False),
        ("alone.py", False),
        ("loose/part.py", False),
    ],
)
def test_an_edit_is_seen_where_it_reaches(project, file, changes):
    source = "def step():\n    from shapes.square import SIDE\n    return SIDE"
    before = Code().reached(source)
    (project / file).write_text("# edited\n" + PROJECT[file])
    assert (Code().reached(source) != before) == changes


@pytest.mark.parametrize("file", [".round.py.swp", "round.py~", "#round.py#", ".DS_Store", ".idea/misc.xml"])
def test_what_an_editor_leaves_beside_the_code_throws_no_training_away(project, file):
    before = Code().reached("import shapes.round")
    (project / "shapes" / file).parent.mkdir(exist_ok=True)
    (project / "shapes" / file).write_text("half an edit")
    assert Code().reached("import shapes.round") == before


def test_code_is_what_it_was_when_the_run_began(project):
    code = Code()
    before = code.reached("import shapes.round")
    (project / "shapes/round.py").write_text("def circle(): return 1")
    assert code.reached("import shapes.round") == before
    assert Code().reached("import shapes.round") != before


def test_nothing_is_imported_to_find_out(project):
    (project / "shapes/__init__.py").write_text("raise RuntimeError('imported')")
    assert "shapes.round" in modules("import shapes.round")


def test_our_own_steps_reach_what_they_should():
    reached = {
        name: modules(f"import components.{name}") for name in ("generate_data", "train_world_model", "train_policy")
    }
    assert "models.policy" in reached["train_policy"]
    assert "models.policy" not in reached["train_world_model"] | reached["generate_data"]
    assert "models.world_model" in reached["train_world_model"] & reached["train_policy"]
    assert "models.world_model" not in reached["generate_data"]
    assert "sim_core.episodes" in reached["generate_data"]
    assert "viewer/templates/report.html" in modules("import components.write_evaluation")
