"""The frames of a run's weights, or of the pretrained ones: python -m pytest tests/viewer/test_show_frames.py"""

import pytest
from PIL.GifImagePlugin import GifImageFile
from untrained import put_run

from viewer.show_frames import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("viewer.weights.PRETRAINED", tmp_path / "pretrained" / "coverage")


def test_a_run_is_shown_as_frames_and_a_gif(tmp_path, capsys):
    run = put_run(tmp_path / "run")
    for what, timesteps in (("model", 3 + 25), ("policy", 1 + 50)):
        assert main([what, "--run", str(run), "--output", "frames"]) == 0
        assert len(list((tmp_path / "frames" / what).glob("*.png"))) == 4 * timesteps
        assert GifImageFile(tmp_path / "frames" / f"{what}.gif").n_frames > 1
        said = capsys.readouterr()
        assert said.err.startswith("\rframes:   0%"), "a bar, before anything takes long"
        assert said.out == f"of the weights in {run}: {4 * timesteps} frames in frames/{what}, and frames/{what}.gif\n"


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(tmp_path, capsys):
    put_run(tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as exit:
        main(["model", "--run", "run", "--output", "file"])
    assert exit.value.code == 2
    assert "file cannot be made: File exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model"], "make run trains some"),
        (["model", "--run", "nowhere"], "there is no folder nowhere"),
        (["policy", "--run", "empty"], "has no trained policy"),
        (["model", "--run", "foreign"], "run.json is not the record of a run"),
        (["films"], "invalid choice: 'films'"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_sentence(arguments, said, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "run.json").write_text('{"a": 1}')
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert said in capsys.readouterr().err
