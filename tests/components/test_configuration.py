"""What a preset, a seed and overrides mean, and that mistakes in them cost nothing but a sentence.

python -m pytest tests/components/test_configuration.py
"""

import errno
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct

from components.configuration import FOLLOWING, PRESETS, Configuration, from_dict, resolve, settings
from components.shards import PART, Shard, split
from models.checkpoint import described
from models.config import DataConfig, PolicyTraining, WorldModelConfig, WorldModelTraining
from models.dataset import write_shard
from sim_core.episodes import random_episodes
from sim_core.world import World
from viewer.weights import PRETRAINED


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_configuration_that_differs_from_the_defaults_in_what_it_names(preset):
    configuration = asdict(resolve(preset, 0, {}))
    defaults = asdict(Configuration())
    for name in settings():
        part, setting = name.split(".")
        expected = PRESETS[preset].get(name, defaults[part][setting])
        assert configuration[part][setting] == expected, name
        assert name not in PRESETS[preset] or expected != defaults[part][setting], f"{name} is the default anyway"


def test_a_smoke_run_is_smaller_than_a_laptop_run():
    smoke, laptop = resolve("smoke", 0, {}), resolve("laptop", 0, {})
    assert smoke.data.episodes < laptop.data.episodes
    assert smoke.policy_training.steps < laptop.policy_training.steps


def test_a_seed_reaches_the_data_and_both_trainings():
    configuration = resolve("smoke", 7, {})
    assert configuration.data.seed == configuration.world_model_training.seed == configuration.policy_training.seed == 7


def test_an_override_beats_the_preset_and_the_seed():
    configuration = resolve(
        "smoke", 7, {"policy_training.steps": 5, "policy_training.seed": 8, "world.raster": "pixel"}
    )
    assert configuration.policy_training.steps == 5
    assert configuration.policy_training.seed == 8
    assert configuration.data.seed == 7
    assert configuration.world == World(raster="pixel")


def test_an_override_can_set_every_field_but_those_that_follow_another():
    everything = asdict(Configuration())
    names = {
        f"{part}.{setting}" for part, values in everything.items() if isinstance(values, dict) for setting in values
    }
    assert set(settings()) == names - set(FOLLOWING)
    defaults = {name: everything[name.split(".")[0]][name.split(".")[1]] for name in settings()}
    assert asdict(resolve("laptop", 0, defaults)) == {**everything, "preset": "laptop"}


def test_the_world_model_is_for_the_worlds_frames():
    configuration = resolve("smoke", 0, {"world.size": 24, "world.frames": 2})
    assert (configuration.world_model.size, configuration.world_model.frames) == (24, 2)


@pytest.mark.parametrize("raster", ["coverage", "pixel"])
def test_the_pretrained_weights_are_of_the_networks_of_the_preset_gpu_so_that_its_runs_can_begin_from_them(raster):
    shipped = described(PRETRAINED.with_name(raster) / "world_model", "world_model", WorldModelConfig)
    assert resolve("gpu", 0, {"world.raster": raster}).world_model == shipped


def test_what_whole_pixels_change_in_a_preset_is_overridden_like_the_rest():
    configuration = resolve("gpu", 0, {"world_model.refinements": 0, "world.raster": "pixel"})
    assert (configuration.world_model.memory, configuration.world_model.refinements) == (3, 0)
    assert resolve("smoke", 0, {"world.raster": "pixel"}).world_model.depth == 1
    assert resolve("smoke", 0, {"world.raster": "pixel", "world_model.depth": 2}).world_model.depth == 2
    assert resolve("smoke", 0, {}).world_model.depth == 2


@pytest.mark.parametrize(
    ("preset", "seed", "overrides", "sentence"),
    [
        ("smok", 0, {}, "there is no preset 'smok', the nearest of smoke, laptop, gpu is 'smoke'"),
        ("", 0, {}, "there is no preset ''"),
        ("smoke", -1, {}, "data.seed must be a whole number of at least 0, got -1"),
        ("smoke", 2**53 + 2, {}, r"seed must be a whole number of at most 2\*\*53, got 9007199254740994"),
        ("smoke", 0.5, {}, "seed must be a whole number, got 0.5"),
        ("smoke", True, {}, "seed must be a whole number, got True"),
        ("smoke", 0, {"policy_trainig.steps": 5}, "the nearest is 'policy_training.steps'"),
        ("smoke", 0, {"policy.steps": 5}, "the nearest is 'policy_training.steps'"),
        ("smoke", 0, {"raster": "pixel"}, "there is no setting 'raster', the nearest is 'world.raster'"),
        ("smoke", 0, {"world": {}}, "there is no setting 'world'"),
        ("smoke", 0, {"world_model.size": 24}, "world_model.size follows world.size and cannot be set on its own"),
        ("smoke", 0, {"policy_training.steps": 0}, "policy_training.steps must be .*at least 1, got 0"),
        ("smoke", 0, {"policy_training.steps": 1.5}, "policy_training.steps must be a whole number, got 1.5"),
        ("smoke", 0, {"policy_training.steps": "many"}, "policy_training.steps must be a whole number, got 'many'"),
        ("smoke", 0, {"policy_training.steps": True}, "policy_training.steps must be a whole number, got True"),
        ("smoke", 0, {"policy_training.steps": None}, "policy_training.steps must be a whole number, got None"),
        (
            "smoke",
            0,
            {"policy_training.steps": 10**400},
            r"policy_training.steps must be a whole number of at most 2\*\*53, got 1000",
        ),
        ("smoke", 0, {"policy_training.rate": 2}, "policy_training.rate must be above 0 and at most 1, got 2.0"),
        ("smoke", 0, {"policy_training.rate": float("nan")}, "policy_training.rate must be a number, got nan"),
        ("smoke", 0, {"policy_training.rate": "fast"}, "policy_training.rate must be a number, got 'fast'"),
        ("smoke", 0, {"world.raster": "pixels"}, "world.raster must be one of coverage, pixel, got 'pixels'"),
        ("smoke", 0, {"world.raster": 3}, "world.raster must be a text, got 3"),
        ("smoke", 0, {"data.endless": "yes"}, "data.endless must be true or false, got 'yes'"),
        ("smoke", 0, {"data.endless": 1}, "data.endless must be true or false, got 1"),
        ("smoke", 0, {"world.block": 40}, r"world.block must be smaller than size \(32\), got 40"),
        (
            "smoke",
            0,
            {"policy_training.shift": 32},
            "policy_training.shift must be below world.size, 32, or targets leave",
        ),
        ("smoke", 0, {"data.episodes": 1}, r"data.shards must be at most the number of episodes \(1\), got 2"),
        (
            "smoke",
            0,
            {"data.timesteps": 3},
            r"data.timesteps must be at least 11 for world_model.memory 4 and .*, got 3",
        ),
        (
            "smoke",
            0,
            {"world_model.refinements": 2, "world_model_training.dynamics_batch": 33},
            "world_model_training.dynamics_batch must be even for world_model.refinements, .*, got 33",
        ),
        ("smoke", 0, {"world_model.depth": 65}, "world_model.depth must be at most 64, got 65"),
        ("smoke", 0, {"world_model.refinements": 65}, "world_model.refinements must be at most 64, got 65"),
        ("smoke", 0, {"world_model_training.horizons": [1, 2]}, "world_model_training.horizons must be three"),
        ("smoke", 0, {"world_model_training.horizons": 3}, "horizons must be a list of whole numbers, got 3"),
        (
            "smoke",
            0,
            {"world_model_training.horizons": [1, 2, "x"]},
            "each of .*horizons must be a whole number, got 'x'",
        ),
    ],
)
def test_a_mistake_is_one_sentence_that_names_it(preset, seed, overrides, sentence):
    with pytest.raises(ValueError, match=sentence) as refused:
        resolve(preset, seed, overrides)
    assert "\n" not in str(refused.value)


def through_a_spec(values):
    """`values` after a protobuf Struct, which makes every number a float, and every tuple a list."""
    return MessageToDict(ParseDict(json.loads(json.dumps(values)), Struct()))


@pytest.mark.parametrize(
    "config",
    [
        World(),
        DataConfig(endless=True),
        PolicyTraining(),
        WorldModelTraining(horizons=(2, 3, 4)),
        Configuration(seed=3),
    ],
)
def test_a_configuration_survives_the_way_through_a_compiled_pipeline(config):
    values = through_a_spec(asdict(config))
    assert from_dict(type(config), values) == config


def test_a_stage_does_not_fill_up_what_it_was_not_told():
    with pytest.raises(ValueError, match="World is made of size, block"):
        from_dict(World, {"size": 32})


@pytest.mark.parametrize(("episodes", "shards"), [(10, 1), (10, 3), (3, 3), (8192, 4), (1001, 16)])
def test_the_shards_are_all_episodes_once_and_alike_in_size(episodes, shards):
    parts = split(DataConfig(seed=5, episodes=episodes, shards=shards), World())
    assert [i for part in parts for i in part.indices] == list(range(episodes))
    assert max(part.episodes for part in parts) - min(part.episodes for part in parts) <= 1
    assert {(part.seed, part.timesteps) for part in parts} == {(5, DataConfig().timesteps)}
    assert from_dict(Shard, through_a_spec(asdict(parts[-1]))) == parts[-1]


def test_a_shard_is_made_in_parts_that_are_its_episodes():
    shard = Shard(World(), seed=5, timesteps=0, original_share=0.0, first=300, episodes=2 * PART + 7)
    parts = list(shard.made())
    assert max(len(part.forces) for part in parts) == PART
    whole = random_episodes("training", shard.indices, 0, World(), seed=5)
    for name, values in vars(whole).items():
        np.testing.assert_array_equal(np.concatenate([vars(part)[name] for part in parts]), values)


def test_a_shard_is_as_large_as_it_says_and_refused_at_once_where_that_does_not_fit(tmp_path):
    shard = Shard(World(), seed=5, timesteps=3, original_share=0.0, first=0, episodes=70)
    write_shard(tmp_path, shard.made(), shard.world)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) == pytest.approx(shard.size, rel=0.01)
    shard.require_room(tmp_path)
    with pytest.raises(
        OSError, match=r"No space left on device: 10+ episodes take .* GB, and .* GB are left"
    ) as refusal:
        replace(shard, episodes=10**14).require_room(tmp_path)
    assert refusal.value.errno == errno.ENOSPC
