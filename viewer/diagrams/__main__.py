"""Draw the figures of the README: python -m viewer.diagrams pipeline.yaml (see --help)."""

import sys
from pathlib import Path

import yaml

from viewer.command_line import command_parser, stoppable
from viewer.diagrams.network import network_diagram
from viewer.diagrams.pipeline import pipeline_diagram
from viewer.diagrams.policy import policy_diagram
from viewer.diagrams.traced import trace

HELP = """\
Draw network.svg, policy.svg and pipeline.svg.

The shapes are those of a forward pass through the networks of the default configuration, the steps those of a compiled
pipeline."""
EXAMPLES = """\
examples:
  python -m viewer.diagrams pipeline.yaml
      of what python -m pipelines.compile -o pipeline.yaml has written, into docs/"""


@stoppable
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser("viewer.diagrams", HELP, EXAMPLES)
    parser.add_argument("pipeline", metavar="FILE", type=Path, help="what python -m pipelines.compile wrote")
    parser.add_argument("--output", metavar="FOLDER", type=Path, default=Path("docs"), help="by default docs/")
    options = parser.parse_args(arguments)
    try:
        spec, *_ = yaml.safe_load_all(options.pipeline.read_text(encoding="utf-8"))
        pipeline = pipeline_diagram(spec)
    except OSError as error:
        parser.error(f"{options.pipeline} cannot be read: {error.strerror}")
    except (yaml.YAMLError, ValueError, KeyError, TypeError):
        parser.error(f"{options.pipeline} is no compiled pipeline; python -m pipelines.compile writes one")
    traced = trace()
    figures = {"network": network_diagram(traced), "policy": policy_diagram(traced), "pipeline": pipeline}
    try:
        for name, svg in figures.items():
            (options.output / f"{name}.svg").write_text(svg, encoding="utf-8")
    except OSError as error:
        parser.error(f"{options.output} cannot be written: {error.strerror}")
    print(f"wrote {', '.join(f'{name}.svg' for name in figures)} into {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
