"""What code is: the project's files that a component's source reaches by import, and the versions of what is installed.

Nothing is imported to find out.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

# where Python and what pip has installed lie: the files there are not the project's
_INSTALLED = {
    Path(folder).resolve()
    for folder in (
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    )
}
_DYNAMIC = {"import_module", "__import__"}


def digest(content: bytes | str) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


@dataclass(frozen=True)
class Code:
    """The code as it is when it is first asked for; each file is read once. Make one as a run begins.

    What is installed counts as it was when a process first asked: what it has imported would not change either.
    """

    _modules: dict[str, ModuleSpec | None] = field(default_factory=dict)
    _files: dict[Path, tuple[str, list[str]]] = field(default_factory=dict)  # digest and imports

    def reached(self, source: str) -> dict[str, str]:
        """What lies behind a component's `source`, by name, each with its digest or version.

        Followed are all imports, those inside functions and for type checkers too, texts such as
        "sim_core.env:BlockWorld" that name a module of the project, and what these modules import in turn. With a
        module come its packages, and with a package its files that are no Python ("viewer/templates/report.html"). Of
        what is installed the version counts. A module whose name is put together as the program runs goes unseen.
        """
        found = {"its own source": digest(source)}
        seen: set[str] = set()
        waiting = list(_imports(source.encode(), ""))
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            spec = self._project_module(name)
            if spec is None:
                found |= self._versions(name)
                continue
            waiting.append(name.rpartition(".")[0])
            if spec.origin and spec.has_location:
                package = name if spec.submodule_search_locations else name.rpartition(".")[0]
                found[name], imports = self._file(Path(spec.origin), package)
                waiting += imports
                if package == name:
                    found |= self._data(name, Path(spec.origin).parent)
        return dict(sorted(found.items()))

    def is_still(self) -> bool:
        """Whether all files that were read are as they were."""
        return all(path.is_file() and digest(path.read_bytes()) == then for path, (then, _) in self._files.items())

    def _file(self, path: Path, package: str = "") -> tuple[str, list[str]]:
        if path not in self._files:
            content = path.read_bytes()
            imports = list(_imports(content, package)) if path.suffix == ".py" else []
            self._files[path] = digest(content), imports
        return self._files[path]

    def _data(self, package: str, folder: Path) -> dict[str, str]:
        """The files of a package that are no Python, without hidden ones and the copies that editors make."""
        files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
        names = {path: path.relative_to(folder) for path in files if not path.name.endswith("~")}
        place = package.replace(".", "/")
        return {
            f"{place}/{name}": self._file(path)[0]
            for path, name in names.items()
            if not any(part.startswith((".", "#")) for part in name.parts)
        }

    def _project_module(self, name: str) -> ModuleSpec | None:
        """Where a module of the project is; None for one that is installed or built in, and for no module."""
        if name not in self._modules:
            spec = self._find(name)
            places = [spec.origin] if spec and spec.has_location else (spec and spec.submodule_search_locations) or []
            installed = any(_INSTALLED & set(Path(place or "").resolve().parents) for place in places)
            self._modules[name] = None if installed or not places else spec
        return self._modules[name]

    def _find(self, name: str) -> ModuleSpec | None:
        parent, _, _ = name.rpartition(".")
        if parent:
            above = self._project_module(parent)
            places = above.submodule_search_locations if above else None
            return PathFinder.find_spec(name, list(places)) if places is not None else None
        try:
            return importlib.util.find_spec(name) if name and name not in sys.stdlib_module_names else None
        except (ImportError, ValueError):  # of a module that was not imported from anywhere, such as __main__
            return None

    def _versions(self, name: str) -> dict[str, str]:
        """The versions of the distributions that an installed module may be from."""
        top = name.partition(".")[0]
        return {} if self._project_module(top) else _installed_versions(top, tuple(sys.path))


@cache
def _installed_versions(module: str, path: tuple[str, ...]) -> dict[str, str]:
    """The versions of the distributions with a top-level module of this name, as they were at first."""
    names = {distribution.name for distribution in _distributions(path).get(module, [])}
    return {name: importlib.metadata.version(name) for name in names}


@cache
def _distributions(path: tuple[str, ...]) -> dict[str, list[importlib.metadata.Distribution]]:
    """By top-level module. As `importlib.metadata.packages_distributions`, which parses far more of each."""
    found: dict[str, list[importlib.metadata.Distribution]] = {}
    for distribution in importlib.metadata.distributions(path=list(path)):
        declared = distribution.read_text("top_level.txt")
        for module in declared.split() if declared else _top_level(distribution.read_text("RECORD") or ""):
            found.setdefault(module, []).append(distribution)
    return found


def _top_level(record: str) -> set[str]:
    """The top-level modules and packages among the files of a distribution."""
    files = (line.partition(",")[0] for line in record.splitlines())
    return {file.removesuffix(".py").partition("/")[0] for file in files if file.endswith(".py")}


def _imports(source: bytes, package: str) -> Iterator[str]:
    """The names of modules in a source, and some that are none: `from a import b` gives a and a.b."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # whoever imports it will hear of it
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                above = package.split(".")[: 1 - node.level or None] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)
            case ast.Call(ast.Name(called) | ast.Attribute(attr=called), [ast.Constant(str() as name), *_]):
                if called in _DYNAMIC:
                    yield name
            case ast.Constant(str() as text):
                name = text.partition(":")[0]
                if "." in name and all(part.isidentifier() for part in name.split(".")):
                    yield name
