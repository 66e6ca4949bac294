"""Frames and a GIF of what was learned, into frames/: python -m viewer.show_frames model|policy [--run RUN]"""

import sys
from pathlib import Path

from tqdm import tqdm

from models.config import EvaluationConfig
from viewer.command_line import command_parser, make_folder, stoppable

# What takes long to import, torch above all, is imported where it is used: --help answers at once, and so does Ctrl-C.

EXAMPLES = """\
examples:
  python -m viewer.show_frames model
      a dream beside the truth, of the pretrained weights: frames/model/frame_0000.png and so on, and frames/model.gif
  python -m viewer.show_frames policy --run 2026-11-23-143005-1f0a --output shown
      the policy of a run in runs/, into shown/policy/ and shown/policy.gif"""


@stoppable
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser("viewer.show_frames", __doc__.partition(":")[0] + ".", EXAMPLES)
    parser.add_argument("what", choices=("model", "policy"), help="a dream beside the truth, or the policy at work")
    parser.add_argument(
        "--run",
        metavar="RUN",
        type=Path,
        help="a folder, or an id of runs/; by default pretrained/, else the newest run",
    )
    parser.add_argument("--output", metavar="FOLDER", type=Path, default=Path("frames"), help="by default frames/")
    options = parser.parse_args(arguments)
    try:
        print(show(options.what, options.run, options.output))
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{options.output} cannot be written: {error.strerror}")
    return 0


def show(what: str, run: Path | None, output: Path) -> str:
    """Write the film of a run's model or policy, with a bar meanwhile. What was made, in a line.

    Raises:
        ValueError: as `load_weights`, or `output` cannot be made.
        OSError: `output` cannot be written.
    """
    frames, path = output / what, output / f"{what}.gif"
    with tqdm(total=4, desc="frames", leave=False) as bar:
        from models.process import prepare
        from viewer.filming import film_of_model, film_of_policy
        from viewer.films import gif, write_frames
        from viewer.weights import load_weights

        prepare()
        model, policy, world, found = load_weights(run)
        make_folder(output)
        bar.update()
        if what == "model":
            film = film_of_model(model, world, EvaluationConfig.horizon)
        else:
            film = film_of_policy(model, policy, world, EvaluationConfig.timesteps)
        bar.update()
        write_frames(frames, film)
        bar.update()
        path.write_bytes(gif(film))
        bar.update()
    return f"of the weights in {found}: {len(film)} frames in {frames}, and {path}"


if __name__ == "__main__":
    sys.exit(main())
