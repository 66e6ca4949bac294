"""A pipeline that logs what it does, and waits or fails as files of its folder say; processes that run it; its JSON."""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from kfp import dsl

from components import storage

component = partial(dsl.component, base_image="python:3.11", install_kfp_package=False)
PROJECT = Path(__file__).parents[3]


@component
def begin(folder: str, made: dsl.Output[dsl.Dataset]):
    from pathlib import Path

    from components.storage import writing

    with (Path(folder) / "log").open("a") as file:
        file.write("begin ")
    with writing(made.path) as inside:
        (inside / "value.txt").write_text("8")


@component
def work(folder: str, made: dsl.Input[dsl.Dataset]) -> str:
    import time
    from pathlib import Path

    with (Path(folder) / "log").open("a") as file:
        file.write("work ")
    while (Path(folder) / "wait").exists():
        time.sleep(0.01)
    if (Path(folder) / "broken").exists():
        raise ValueError("it is broken")
    return (Path(made.path) / "value.txt").read_text()


@component
def end(folder: str, value: str):
    from pathlib import Path

    with (Path(folder) / "log").open("a") as file:
        file.write(f"end with {value} ")


@dsl.pipeline(name="working")
def working(folder: str):
    end(folder=folder, value=work(folder=folder, made=begin(folder=folder).outputs["made"]).output)


SCRIPT = """
import sys
from pipelines.engine.execute import execute, resume
from pipelines.engine.spec import load_spec
file, folder, root, how = sys.argv[1:]
if how == "begin":
    execute(load_spec(file), {"folder": folder}, root, "first", threads=1)
else:
    resume(load_spec(file), root, "first")
"""


def start(file, root, how="begin", before=""):
    arguments = [sys.executable, "-c", before + SCRIPT, str(file), str(file.parent), root, how]
    return subprocess.Popen(arguments, cwd=PROJECT, stderr=subprocess.PIPE, text=True)


def until(condition, process=None):
    for _ in range(2000):
        if condition():
            return
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("it took too long")


def read_json(uri):
    return json.loads(storage.read_text(str(uri)) or "")
