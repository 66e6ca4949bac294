"""Frames and a GIF of what was learned, into frames/: python -m viewer.show_frames model|policy [--run RUN]"""

import argparse
import sys
from pathlib import Path

from models.config import EvaluationConfig
from models.process import prepare
from viewer.ctrl_c import stoppable
from viewer.filming import film_of_model, film_of_policy
from viewer.films import gif, write_frames
from viewer.weights import load_weights


@stoppable
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m viewer.show_frames", description=__doc__.partition(":")[0] + ".")
    parser.add_argument("what", choices=("model", "policy"), help="a dream beside the truth, or the policy at work")
    parser.add_argument(
        "--run",
        metavar="RUN",
        type=Path,
        help="a folder, or an id of runs/; by default pretrained/, else the newest run",
    )
    parser.add_argument("--output", metavar="FOLDER", type=Path, default=Path("frames"), help="by default frames/")
    options = parser.parse_args(arguments)
    prepare()
    try:
        model, policy, world, found = load_weights(options.run)
    except ValueError as error:
        parser.error(str(error))
    if options.what == "model":
        film = film_of_model(model, world, EvaluationConfig.horizon)
    else:
        film = film_of_policy(model, policy, world, EvaluationConfig.timesteps)
    frames = options.output / options.what
    path = options.output / f"{options.what}.gif"
    try:
        write_frames(frames, film)
        path.write_bytes(gif(film))
    except OSError as error:
        parser.error(f"{options.output} cannot be written: {error.strerror}")
    print(f"of the weights in {found}: {len(film)} frames in {frames}, and {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
