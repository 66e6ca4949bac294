"""The components as the cluster runs them: the compiled commands, in processes of their own, on a local root."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from tiny_run import PROJECT

from pipelines.build import BuildConfig
from pipelines.compile import write_pipeline


class Cluster:
    """Runs the components' commands, with what Kubeflow's launcher would put in the place of `{{$}}`."""

    def __init__(self, folder: Path):
        write_pipeline(folder / "pipeline.yaml", BuildConfig())
        self.spec = yaml.safe_load((folder / "pipeline.yaml").read_text())
        self.root = folder / "dreamblock" / "tiny"

    def start(self, component, parameters, artifacts, execution="0", **variables):
        """The process of a component, the first in a group of its own, and the paths of its artifacts."""
        task = self.root / component / execution
        declared = self.spec["components"][f"comp-{component}"]["outputDefinitions"]
        paths = {name: task / name for name in declared.get("artifacts", {})}
        executor_input = {
            "inputs": {
                "parameterValues": parameters,
                "artifacts": {name: {"artifacts": list(map(artifact, given))} for name, given in artifacts.items()},
            },
            "outputs": {
                "parameters": {name: {"outputFile": str(task / name)} for name in declared.get("parameters", {})},
                "artifacts": {name: {"artifacts": [artifact(path)]} for name, path in paths.items()},
                "outputFile": str(task / "executor_output.json"),
            },
        }
        task.mkdir(parents=True)
        container = self.spec["deploymentSpec"]["executors"][f"exec-{component}"]["container"]
        command = [
            json.dumps(executor_input) if part == "{{$}}" else part for part in container["command"] + container["args"]
        ]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "ignore"}
        process = subprocess.Popen(
            command,
            env=environment | variables,
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return process, paths

    def run(self, component, parameters, artifacts, execution="0"):
        """The parameters that the component puts out, and the paths of its artifacts."""
        process, paths = self.start(component, parameters, artifacts, execution)
        _, said = process.communicate()
        assert process.returncode == 0, said
        task = self.root / component / execution
        written = json.loads((task / "executor_output.json").read_text())
        return written.get("parameterValues"), paths


def artifact(path):
    return {"name": path.name, "uri": str(path), "metadata": {}}
