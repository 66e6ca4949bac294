"""Build a page in which one plays with the dream: python -m viewer [--run RUN] [--output FILE] [--open]"""

import sys
from pathlib import Path

from viewer.browser import open_page
from viewer.command_line import command_parser, require_writable, stoppable

# What takes long to import, torch above all, is imported where it is used: --help answers at once, and so does Ctrl-C.

HELP = """\
Build a page in which one plays with the dream: the player, then the films.

It is one file that fetches nothing: send it, or put it on any static host."""
EXAMPLES = """\
examples:
  python -m viewer --open
      of the pretrained weights or, while there are none, of the newest run
  python -m viewer --run 2026-11-23-143005-1f0a --output page.html
      of a run in runs/; one that lies elsewhere is named by its folder"""


@stoppable
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser("viewer", HELP, EXAMPLES)
    parser.add_argument(
        "--run",
        metavar="RUN",
        type=Path,
        help="a folder, or an id of runs/; by default pretrained/, else the newest run",
    )
    parser.add_argument("--output", metavar="FILE", type=Path, default=Path("demo.html"), help="by default demo.html")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    options = parser.parse_args(arguments)
    from models.process import prepare
    from viewer.demo import demo
    from viewer.weights import load_weights

    try:
        prepare()
        model, policy, world, found = load_weights(options.run)
        require_writable(options.output)
        page = demo(model, policy, world, "/".join(found.parts[-2:]))
        options.output.write_text(page, encoding="utf-8")
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{options.output} cannot be written: {error.strerror}")
    print(f"of the weights in {found}: {options.output}\n{options.output.absolute().as_uri()}")
    if options.open:
        open_page(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
