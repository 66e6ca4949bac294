"""A page shown to whoever sits at this machine."""

import sys
import webbrowser
from pathlib import Path


def open_page(page: Path) -> None:
    """Open a file in the browser; where there is none, say so on stderr."""
    try:
        opened = webbrowser.open(page.absolute().as_uri())
    except webbrowser.Error:
        opened = False
    if not opened:
        print(f"no browser was found on this machine that could open {page}", file=sys.stderr)
