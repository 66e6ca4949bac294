"""What each part of the learners brings: the trainings that tell, and the page docs/learning.md that shows them.

python -m viewer.learning train|worst|write (see --help)
"""

import argparse
import json
import sys
from difflib import get_close_matches
from pathlib import Path

from tqdm import tqdm

from models.process import prepare
from viewer.command_line import command_parser, make_folder, stoppable
from viewer.learning.trainings import all_jobs, result_file, run_jobs
from viewer.learning.variants import BY_NAME, FULL, TINY
from viewer.learning.worst import worst_dreams
from viewer.weights import PRETRAINED, load_weights, pretrained_commit

EXAMPLES = """\
examples:
  python -m viewer.learning train --jobs 2
      all trainings that have no result yet, two at a time; what is done is kept, so stop it and go on at will
  python -m viewer.learning train adamw --tiny --results tiny
      one variant for a few steps, to see that it works
  python -m viewer.learning worst
      looks into the worst dreams of the pretrained weights
  python -m viewer.learning write
      writes docs/learning.md from the results of both"""
RESULTS, PAGE = Path("docs/learning"), Path("docs/learning.md")


@stoppable
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser("viewer.learning", (__doc__ or "").partition("\n")[0], EXAMPLES)
    verbs = parser.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train", help="train what has no result yet")
    train.add_argument("variants", metavar="VARIANT", nargs="*", help="names, by default all: " + ", ".join(BY_NAME))
    train.add_argument("--jobs", type=int, default=1, metavar="N", help="trainings at a time, a thread each; default 1")
    train.add_argument("--tiny", action="store_true", help="trainings of a few steps, to see that all works")
    worst = verbs.add_parser("worst", help="look into the worst dreams of pretrained/coverage")
    write = verbs.add_parser("write", help="write the page and its figures")
    write.add_argument("-o", "--output", metavar="FILE", type=Path, default=PAGE, help=f"by default {PAGE}")
    for verb in (train, worst, write):
        verb.add_argument(
            "--results", metavar="FOLDER", type=Path, default=RESULTS, help=f"of the results, by default {RESULTS}"
        )
    options = parser.parse_args(arguments)
    try:
        prepare()
        return {"train": train_variants, "worst": find_worst, "write": write_page}[options.verb](options)
    except ValueError as error:
        parser.error(str(error))


def train_variants(options: argparse.Namespace) -> int:
    """Train the variants, with a bar and a line for each."""
    if options.tiny and options.results == RESULTS:
        raise ValueError(f"--tiny is to see that all works: with --results, for it would spoil {RESULTS}")
    if options.jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {options.jobs}")
    for name in options.variants:
        if name not in BY_NAME:
            nearest = get_close_matches(name, BY_NAME, n=1, cutoff=0)[0]
            raise ValueError(f"there is no variant {name!r}, the nearest is {nearest!r}")
    make_folder(options.results)
    jobs = [job for job in all_jobs() if not options.variants or job.variant in options.variants]
    failed = 0
    done = sum(result_file(options.results, job).exists() for job in jobs)
    with tqdm(total=len(jobs), initial=done, desc="trainings") as bar:

        def on_done(job, error: Exception | None) -> None:
            nonlocal failed
            failed += error is not None
            bar.update(error is None)
            bar.write(f"{job.variant}, seed {job.seed}: {'done' if error is None else repr(error)}")

        run_jobs(jobs, options.results, TINY if options.tiny else FULL, options.jobs, on_done)
    return min(failed, 1)


def find_worst(options: argparse.Namespace) -> int:
    """Write what is found of the worst dreams beside the results."""
    from viewer.learning.page import WORST_FILE

    make_folder(options.results)
    model, _, world, _ = load_weights(PRETRAINED)
    file = options.results / WORST_FILE
    found = {"commit": pretrained_commit(), **worst_dreams(model, world)}
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {file}")
    return 0


def write_page(options: argparse.Namespace) -> int:
    """Write the page."""
    # Only here, for it draws: so that trainings run on a machine that has torch and little else.
    from viewer.learning.page import write

    try:
        write(options.results, options.output)
    except OSError as error:
        raise ValueError(f"{options.output} cannot be written: {error.strerror}") from error
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
