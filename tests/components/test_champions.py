"""Champions: who becomes one, also when two would at once, what runs begin from, and what is refused.

Networks are real, small and untrained; how well they do is made up, and read off their weights.

python -m pytest tests/components/test_champions.py
"""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import pytest
import torch

import components.promotion
from components import storage
from components.champions import EVALUATION, ORIGIN, POINTER, Lineage, Weights, seed_for
from components.configuration import resolve
from components.plan import plan
from components.promotion import judge
from components.starting import write_start
from models.checkpoint import load_world_model, save_world_model
from models.comparison import Measured
from models.policy import Policy
from models.policy_checkpoint import load_policy, save_policy
from models.world_model import WorldModel

SMALL = {f"world_model.{name}": 2 for name in ("maps", "latent", "hidden", "rank", "state", "lstm", "mlp")}
CONFIG = resolve("smoke", 0, {**SMALL, "policy.hidden": 2, "evaluation.episodes": 50})


@pytest.fixture(params=["local", "bucket"])
def root(request, tmp_path) -> str:
    """A place for runs, of each kind."""
    return str(tmp_path / "root") if request.param == "local" else request.getfixturevalue("bucket") + "/some/prefix"


@pytest.fixture(autouse=True)
def nothing_is_pretrained(tmp_path, monkeypatch):
    monkeypatch.setattr("viewer.weights.PRETRAINED", tmp_path / "pretrained" / "coverage")


@pytest.fixture(autouse=True)
def measured_by_its_weights(monkeypatch):
    """The first bias of a network says how it does: of a policy the frames to settle, of a world model px."""

    def measure(model, policy, world, config):
        settle, dream = (float(next(iter(part.parameters())).flatten()[0]) for part in (policy, model))
        draw = np.random.default_rng(int(settle * 100))
        luck = draw.normal(scale=0.1, size=(config.episodes, 4))
        return Measured(settle + luck[:, 0], dream + luck[:, 1:])

    monkeypatch.setattr(components.promotion, "measure", measure)


@pytest.fixture
def learned(tmp_path):
    """Makes what the steps of a run put out: weights that do as they are told, and an evaluation."""

    def make(run_id, settle, dream=1.0, config=CONFIG):
        folder = tmp_path / run_id
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model, policy = WorldModel(config.world_model), Policy(config.policy, config.world_model)
        for part, value in ((policy, settle), (model, dream)):
            next(iter(part.parameters())).data.fill_(value)
        with storage.writing(folder / "world_model") as files:
            save_world_model(files, model, config.world)
        with storage.writing(folder / "policy") as files:
            save_policy(files, policy, config.world_model)
        with storage.writing(folder / "evaluation") as files:
            (files / EVALUATION).write_text(json.dumps({"run": run_id}))
        return Weights(folder / "world_model", folder / "policy"), folder / "evaluation"

    return make


def lineage(root, run_id="run", name="nightly"):
    return Lineage(name, storage.join(root, "dreamblock", run_id, "promote", "0", "metrics"))


def promote(root, run_id, made, config=CONFIG):
    return judge(lineage(root, run_id), run_id, config, *made)


def champion(root):
    return lineage(root).pointer().champion


# Who becomes champion


def test_the_first_is_champion_the_better_replaces_it_and_the_worse_does_not(root, learned):
    first = promote(root, "first", learned("first", 12))
    assert (first.promoted, first.comparison) == (True, None)
    assert first.said.startswith("nightly: 0001-first-")
    assert "There was none to beat." in first.said

    better = promote(root, "better", learned("better", 10))
    name = champion(root)
    assert better.promoted
    assert name.startswith("0002-better-")
    assert f"nightly: {name} is the champion now. Compared with 0001-first-" in better.said
    assert re.search(
        r"settles after 10\.0 frames, sooner by [12]\.\d\d \([12].* to [12].*\), and dreams no worse", better.said
    )
    assert better.figures["promoted"] == 1
    assert better.figures["settle_frames_saved"] == pytest.approx(2, abs=0.1)

    worse = promote(root, "worse", learned("worse", 11))
    assert not worse.promoted
    assert worse.said.startswith(f"nightly: {name} stays the champion. Compared with it, worse settles after 1")
    by, low, high = re.findall(r"[\d.]+", worse.said.partition("later by")[2])[:3]
    assert 0 < float(low) < float(by) < float(high)
    assert champion(root) == name


def test_a_faster_policy_in_a_worse_dream_is_not_promoted(root, learned):
    promote(root, "first", learned("first", 12, dream=1))
    verdict = promote(root, "rash", learned("rash", 9, dream=4))
    assert not verdict.promoted
    assert re.search(r"sooner by [23]\.\d+ .*, and dreams worse: at horizon 1 by [23]\.\d+ \(", verdict.said)
    assert champion(root).startswith("0001-first-")


def test_a_champion_is_whole_with_weights_figures_and_where_it_is_from(root, learned, tmp_path):
    promote(root, "first", learned("first", 12))
    made = learned("second", 10)
    promote(root, "second", made)
    folder = storage.fetch(storage.join(lineage(root).uri, champion(root)), tmp_path / "fetched")
    storage.verified(folder)
    assert json.loads((folder / EVALUATION).read_text()) == {"run": "second"}
    origin = json.loads((folder / ORIGIN).read_text())
    assert (origin["run_id"], origin["configuration"]["policy"]) == ("second", asdict(CONFIG.policy))
    assert origin["judged"]["rival"].startswith("0001-first-")
    assert origin["judged"]["settle"]["low"] > 0
    assert set(origin["judged"]["dream"]) == {"1", "5", "10"}
    for part, source in made[0]._asdict().items():
        for name in ("weights.safetensors", "model.json"):
            assert (folder / f"{part}.{name}").read_bytes() == (source / name).read_bytes()


def test_what_a_desktop_leaves_beside_the_weights_gets_into_no_champion(root, learned, tmp_path):
    made = learned("first", 12)
    (made[0].policy / ".DS_Store").write_text("icons")
    promote(root, "first", made)
    assert not any("DS_Store" in name for name in storage.children(storage.join(lineage(root).uri, champion(root))))


def put_pretrained(folder, weights):
    for part, source in weights._asdict().items():
        place = folder / "pretrained" / "coverage" / part
        place.parent.mkdir(parents=True, exist_ok=True)
        source.rename(place)


def test_the_pretrained_weights_are_to_be_beaten_as_long_as_there_is_no_champion(tmp_path, learned, monkeypatch):
    put_pretrained(tmp_path, learned("shipped", 11)[0])
    root = str(tmp_path / "root")
    assert promote(root, "worse", learned("worse", 13)).said.startswith(
        "nightly: pretrained/coverage is not beaten. Compared with it, worse settles after 1"
    )
    assert champion(root) == ""
    assert promote(root, "better", learned("better", 9)).promoted
    assert champion(root).startswith("0001-better-")


def test_pretrained_weights_that_a_run_could_not_begin_from_need_not_be_beaten(tmp_path, learned):
    """A laptop's first run would never beat those of a GPU, so that no run would begin from another's weights."""
    put_pretrained(tmp_path, learned("shipped", 9)[0])
    described = tmp_path / "pretrained" / "coverage" / "world_model" / "model.json"
    described.write_text(described.read_text().replace('"lstm": 2', '"lstm": 4'))
    assert promote(str(tmp_path / "root"), "slower", learned("slower", 11)).said.endswith("There was none to beat.")


# Two at once


def held_up(monkeypatch, root, until):
    """The first to add its folder waits there until the block is called: another may be promoted meanwhile."""
    add, first = Lineage.add, threading.Event()

    def wait(self, *arguments):
        add(self, *arguments)
        if not first.is_set():
            first.set()
            until()

    monkeypatch.setattr(Lineage, "add", wait)


@pytest.mark.parametrize(("slow", "expected"), [(9.0, "quick"), (7.0, "slow")])
def test_who_is_overtaken_is_judged_anew_against_the_new_champion(root, learned, monkeypatch, capsys, slow, expected):
    promote(root, "first", learned("first", 12))
    made = {"quick": learned("quick", 8), "slow": learned("slow", slow)}
    held_up(monkeypatch, root, lambda: promote(root, "quick", made["quick"]))
    verdict = promote(root, "slow", made["slow"])
    assert "another run was promoted meanwhile: judging anew" in capsys.readouterr().err
    assert expected in champion(root)
    assert verdict.promoted == (expected == "slow")
    assert "-quick-" in verdict.said, "it was compared with the one that came first"
    for name in storage.children(lineage(root).uri):
        assert name == POINTER or storage.whole(storage.join(lineage(root).uri, name))


def test_of_many_promotions_at_once_the_best_is_champion_and_whole(root, learned):
    made = {f"run{settle}": learned(f"run{settle}", settle) for settle in (12, 9, 6, 3)}
    together = threading.Barrier(len(made))

    def one(run_id):
        together.wait()
        return promote(root, run_id, made[run_id])

    with ThreadPoolExecutor(len(made)) as pool:
        verdicts = dict(zip(made, pool.map(one, made), strict=True))
    assert verdicts["run3"].promoted
    assert "-run3-" in champion(root)
    assert storage.whole(storage.join(lineage(root).uri, champion(root)))
    promoted = [run_id for run_id, verdict in verdicts.items() if verdict.promoted]
    assert int(champion(root)[:4]) == len(promoted), "each counts once"


def test_a_promotion_whose_acknowledgement_is_lost_is_known_to_be_its_own(bucket, learned, server, monkeypatch):
    promote(bucket, "first", learned("first", 12))
    crown = Lineage.crown

    def on_a_bad_line(self, *arguments):
        server.inject("lost", "upload", 0)
        return crown(self, *arguments)

    monkeypatch.setattr(Lineage, "crown", on_a_bad_line)
    verdict = promote(bucket, "second", learned("second", 10))
    assert server.counts["upload"] == 2
    assert (verdict.promoted, champion(bucket)[:11]) == (True, "0002-second")


def test_killed_before_it_was_crowned_a_run_is_promoted_by_its_retry_and_once_only(root, learned, monkeypatch):
    made = learned("first", 12)
    with monkeypatch.context() as patched:
        patched.setattr(Lineage, "crown", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            promote(root, "first", made)
    assert champion(root) == ""
    assert promote(root, "first", made).promoted
    again = promote(root, "first", made)
    assert (again.promoted, again.said) == (True, f"nightly: {champion(root)} is the champion already.")
    assert storage.children(lineage(root).uri) == [champion(root), POINTER]


# What a run begins from


def begun(root, tmp_path, config=CONFIG, name="nightly"):
    """What the step `start` says, and the folders that it makes."""
    parts = {part: asdict(config)[part] for part in ("world", "world_model", "policy")}
    paths = Weights(tmp_path / "start" / "world_model", tmp_path / "start" / "policy")
    output = storage.join(root, "dreamblock", "run", "start", "0", "initial_policy")
    return write_start({"champion": name, **parts}, output, *map(str, paths)), paths


def test_a_run_begins_from_the_champion(root, learned, tmp_path):
    promote(root, "first", learned("first", 12, dream=3))
    said, paths = begun(root, tmp_path)
    assert said == storage.join(lineage(root).uri, champion(root))
    for path in paths:
        storage.verified(path)
    model = load_world_model(paths.world_model)
    assert float(next(iter(model.parameters())).flatten()[0]) == 3
    assert float(next(iter(load_policy(paths.policy, model.config).parameters())).flatten()[0]) == 12


def test_without_a_champion_a_run_begins_from_the_pretrained_weights_else_from_nothing(tmp_path, learned):
    root = str(tmp_path / "root")
    said, paths = begun(root, tmp_path)
    assert said == "nothing"
    assert [path.name for path in paths.policy.iterdir() if path.name != storage.MANIFEST] == ["start.json"]
    put_pretrained(tmp_path, learned("shipped", 11)[0])
    said, paths = begun(root, tmp_path)
    assert said == "pretrained/coverage"
    assert load_world_model(paths.world_model).config == CONFIG.world_model
    pixel = resolve("smoke", 0, {**SMALL, "policy.hidden": 2, "world.raster": "pixel"})
    assert begun(root, tmp_path, pixel)[0] == "nothing", "they were pretrained in another world"


def test_another_architecture_begins_from_nothing_and_is_judged_all_the_same(tmp_path, learned):
    root = str(tmp_path / "root")
    promote(root, "first", learned("first", 12))
    wide = resolve("smoke", 0, {**SMALL, "world_model.hidden": 3, "policy.hidden": 2, "evaluation.episodes": 50})
    first = storage.join(lineage(root).uri, champion(root))
    assert begun(root, tmp_path, wide)[0] == f"nothing: the networks of {first} are others"
    other = resolve("smoke", 0, {**SMALL, "policy.hidden": 3, "evaluation.episodes": 50})
    said, paths = begun(root, tmp_path, other)
    assert said.endswith(", the policy from nothing: its architecture is another")
    assert load_world_model(paths.world_model)
    assert not (paths.policy / "weights.safetensors").exists()
    assert promote(root, "wide", learned("wide", 9, config=wide), wide).promoted


# What is refused


@pytest.mark.parametrize("name", [" ", "a b", "../up", "a/b", ".hidden", "nightly\n"])
def test_a_name_that_no_champion_can_have_is_refused_by_the_plan(name):
    with pytest.raises(ValueError, match="made of letters, digits, dots, dashes and underscores, got"):
        plan.python_func("smoke", 0, {}, champion=name)


def test_a_run_for_a_champion_has_fresh_data_and_an_evaluation_that_stays(monkeypatch):
    def planned(champion):
        return dict(zip(plan.component_spec.outputs, plan.python_func("smoke", 0, {}, champion=champion), strict=True))

    one, other = planned("nightly"), planned("nightly")
    if one["start"]["seed"] == other["start"]["seed"]:  # within the same millisecond
        other = planned("nightly")
    for stage in ("start", "shards", "world_model", "check", "policy"):
        assert one[stage] != other[stage], f"a cache could answer {stage}"
    assert one["configuration"]["evaluation"] == other["configuration"]["evaluation"]
    monkeypatch.setattr("components.champions.fresh_seed", lambda: 7)
    assert planned("nightly")["configuration"]["data"]["seed"] == 7
    assert (planned("")["start"], planned("")["configuration"]["data"]["seed"]) == ({}, 0)


def test_a_seed_that_is_given_for_a_champion_is_refused():
    with pytest.raises(ValueError, match=r"the champion nightly takes a fresh seed from the clock, and none .* got 3"):
        seed_for("nightly", 3)
    assert seed_for("", 3) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "does not say which champion there is"),
        ("[]", "does not say which champion there is: '\\[\\]'"),
        ('{"format": 1}', "does not say which champion there is"),
        ('{"format": 1, "champion": "../../elsewhere"}', "does not say which champion there is"),
        ('{"format": 1, "champion": "1-../elsewhere"}', "does not say which champion there is"),
        ('{"format": 9, "champion": "0001-a"}', "the champion nightly has format 9, newer than the 1 that is read"),
        ('{"format": 1, "champion": "0001-a"}', "the champion nightly cannot be used: .*; name another champion, or"),
    ],
)
def test_a_pointer_that_no_run_has_written_is_refused(root, learned, tmp_path, text, sentence):
    storage.write_text(storage.join(lineage(root).uri, POINTER), text)
    with pytest.raises(ValueError, match=sentence):
        begun(root, tmp_path)
    with pytest.raises(ValueError, match=sentence):
        promote(root, "run", learned("run", 9))
    assert storage.read_text(storage.join(lineage(root).uri, POINTER)) == text


def test_a_champion_that_was_altered_is_refused_by_name(root, learned, tmp_path):
    promote(root, "first", learned("first", 12))
    storage.write_text(storage.join(lineage(root).uri, champion(root), "policy.weights.safetensors"), "other")
    with pytest.raises(ValueError, match=r"the champion nightly cannot be used: .*policy.weights.*begin anew"):
        begun(root, tmp_path)


def test_a_champion_of_another_world_is_refused_before_anything_is_trained(tmp_path, learned):
    root = str(tmp_path / "root")
    promote(root, "first", learned("first", 12))
    pixel = resolve("smoke", 0, {**SMALL, "policy.hidden": 2, "world.raster": "pixel"})
    sentence = (
        "the champion nightly is of a world with raster coverage, but that of this run has raster pixel: name another"
    )
    with pytest.raises(ValueError, match=sentence):
        begun(root, tmp_path, pixel)
    with pytest.raises(ValueError, match=sentence):
        promote(root, "pixel", learned("pixel", 9, config=pixel), pixel)
    assert begun(root, tmp_path, pixel, name="another")[0] == "nothing"
