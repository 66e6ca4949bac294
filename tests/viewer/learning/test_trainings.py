"""The trainings of the ablation, tiny: python -m pytest tests/viewer/learning/test_trainings.py

With -m long every variant is trained, for its parts stand in for parts of ours that may change.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from viewer.learning.__main__ import main
from viewer.learning.trainings import Job, all_jobs, run_job
from viewer.learning.variants import TINY, VARIANTS

ROOT = Path(__file__).parents[3]
# What a machine that is lent for trainings need not have.
SPARED = ("kfp", "matplotlib", "tabulate", "imageio", "components", "pipelines")


def test_a_variant_is_trained_judged_and_kept_by_the_command(tmp_path, capfd):
    arguments = ["train", "memory-1", "--tiny", "--jobs", "2", "--results", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "viewer.learning", *arguments], cwd=ROOT, check=True)
    assert "memory-1, seed 0: done" in capfd.readouterr().out
    assert sorted(file.name for file in tmp_path.iterdir()) == ["memory-1-0.json", "memory-1-1.json"]
    first = (tmp_path / "memory-1-0.json").read_text()
    result = json.loads(first)
    assert result["variant"] == "memory-1"
    assert result["lengths"]["dynamics_steps"] == TINY.dynamics_steps
    assert result["cpu_seconds"] > 0
    assert len(result["figures"]["error_px"]) == len(result["figures"]["on_pixels_px"]) == 3
    assert main(arguments) == 0
    assert "memory-1, seed" not in capfd.readouterr().out, "what is there is not trained again"
    assert (tmp_path / "memory-1-0.json").read_text() == first


def test_tiny_trainings_are_kept_from_the_results_that_the_page_is_made_of(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["train", "memory-1", "--tiny"])
    assert exit.value.code == 2
    assert "--tiny is to see that all works: with --results, for" in capsys.readouterr().err


def test_a_policy_is_trained_and_judged(tmp_path):
    run_job(Job("policy-pixels", 1), tmp_path, TINY)
    figures = json.loads((tmp_path / "policy-pixels-1.json").read_text())["figures"]
    assert figures.keys() == {"world_model", "settled", "settle_ratio", "final_px_mean", "held_1px", "small_squares"}
    assert figures["final_px_mean"] > 0


@pytest.mark.long
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_variant_can_be_trained_and_judged(variant, tmp_path):
    run_job(Job(variant.name, 0), tmp_path, TINY)
    assert (tmp_path / f"{variant.name}-0.json").exists()


def test_training_needs_torch_and_little_else():
    code = f"import sys, viewer.learning.__main__; print([name for name in {SPARED} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_training_that_fails_does_not_keep_the_others_from_their_results(tmp_path, monkeypatch, capsys):
    def run_jobs(jobs, folder, lengths, processes, on_done):
        for job in jobs:
            on_done(job, RuntimeError("out of luck") if job.seed else None)

    monkeypatch.setattr("viewer.learning.__main__.run_jobs", run_jobs)
    assert main(["train", "--results", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert said.count("out of luck") == len(all_jobs()) / 2
    assert "policy, seed 0: done" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "memory1"], "there is no variant 'memory1', the nearest is 'memory-1'"),
        (["train", "--jobs", "0"], "jobs must be at least 1, got 0"),
        (["write", "--results", "nowhere"], "nowhere has no result of 'baseline'"),
        ([], "the following arguments are required: verb"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert said in capsys.readouterr().err
