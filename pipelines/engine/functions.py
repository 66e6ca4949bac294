"""The Python function of a component, taken out of the container command that KFP's compiler wrote for it."""

import importlib.metadata
import linecache
import re
import shlex
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

# the name under which KFP's launcher imports a component's source; what the source pickles is looked up there
_MODULE = "ephemeral_component"


@dataclass(frozen=True)
class Function:
    """A component's source as shipped in the spec, the name of its function, and a file name for tracebacks."""

    source: str
    name: str
    file: str


def shipped_function(container: Any, component: str) -> Function:
    """The function that a PipelineContainerSpec runs.

    Raises:
        ValueError: one sentence; the container runs something else, or needs packages that are not installed here.
    """
    command, arguments = list(container.command), list(container.args)
    if not (len(command) > 1 and "executor_main" in command[-2] and "--function_to_execute" in arguments[:-1]):
        raise ValueError(
            f"component {component!r} is no Python function but a container ({container.image}) and needs a cluster"
        )
    if missing := [package for package in _required_packages(command[:-1]) if not _is_installed(package)]:
        raise ValueError(
            f"component {component!r} needs packages that are not installed: {', '.join(missing)}; "
            f"mend with: python -m pip install {' '.join(map(shlex.quote, missing))}"
        )
    return Function(command[-1], arguments[arguments.index("--function_to_execute") + 1], f"<component {component}>")


@contextmanager
def loaded(function: Function) -> Iterator[Callable[..., Any]]:
    """Execute the source and give its function, for as long as the context lasts.

    Tracebacks and the debugger know the source; of this file it gets neither names nor future statements.
    """
    lines = function.source.splitlines(keepends=True)
    linecache.cache[function.file] = (len(function.source), None, lines, function.file)
    module = types.ModuleType(_MODULE)
    module.__file__ = function.file
    before = sys.modules.get(_MODULE)
    sys.modules[_MODULE] = module
    try:
        exec(compile(function.source, function.file, "exec", dont_inherit=True), module.__dict__)
        yield getattr(module, function.name)
    finally:
        _remove_embedded_assets(module)
        sys.modules.pop(_MODULE, None)
        if before:
            sys.modules[_MODULE] = before


def _remove_embedded_assets(module: types.ModuleType) -> None:
    """Undo what the source of a component with an embedded artifact sets up: a temporary folder on the import path.

    Modules imported from it are forgotten, for another component may embed others of the same names.
    """
    folder = module.__dict__.get("__KFP_EMBEDDED_ASSET_DIR")
    if not folder:
        return
    for name, imported in list(sys.modules.items()):
        if (getattr(imported, "__file__", None) or "").startswith(f"{folder}/"):
            del sys.modules[name]
    module.__dict__["__kfp_tmpdir"].cleanup()


def _required_packages(command: list[str]) -> list[str]:
    """What the command would install with pip, but for kfp itself: this process is kfp's."""
    packages = []
    for statement in re.findall(r"-m pip install(.+?)&&", "".join(command), re.DOTALL):
        words = iter(shlex.split(statement))
        for word in words:
            if word in ("--index-url", "--extra-index-url", "--trusted-host"):
                next(words)
            elif not word.startswith("-"):
                packages.append(word)
    return [package for package in packages if not re.match(r"kfp\b(?!-)|git\+https://github.com/kubeflow/", package)]


@cache
def _is_installed(package: str) -> bool:
    try:
        requirement = Requirement(package)
        if requirement.marker and not requirement.marker.evaluate():
            return True
        return requirement.specifier.contains(importlib.metadata.version(requirement.name), prereleases=True)
    except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
        return False
