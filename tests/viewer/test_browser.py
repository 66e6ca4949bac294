"""A page is shown in a browser, or it is said that there is none: python -m pytest tests/viewer/test_browser.py"""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def open_page(page, **environment):
    command = "from pathlib import Path; from viewer.browser import open_page; open_page(Path('{}'))"
    return subprocess.run(
        [sys.executable, "-c", command.format(page)], cwd=PROJECT, env=environment, capture_output=True, text=True
    )


def test_the_page_is_opened_in_the_browser_that_the_machine_names(tmp_path):
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    done = open_page(tmp_path / "a page.html", BROWSER=str(browser))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert opened.read_text().strip() == (tmp_path / "a page.html").as_uri()


def test_a_machine_without_a_browser_costs_one_sentence(tmp_path):
    done = open_page(tmp_path / "page.html", PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"no browser was found on this machine that could open {tmp_path}/page.html\n"
