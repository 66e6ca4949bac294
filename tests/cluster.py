"""The components as the cluster runs them: the compiled commands, in processes of their own, on a local root."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from tiny_run import PROJECT

from pipelines.build import BuildConfig
from pipelines.write import write_pipeline


class Cluster:
    """Runs the components' commands, with what Kubeflow's launcher would put in the place of `{{$}}`.

    Args:
        folder: where the run lies, and the compiled pipeline.
        config: what it is compiled with.
        root: the folder's part that would be the pipeline root.
    """

    def __init__(self, folder: Path, config: BuildConfig | None = None, root: str = ""):
        write_pipeline(folder / "pipeline.yaml", config or BuildConfig())
        self.spec = next(yaml.safe_load_all((folder / "pipeline.yaml").read_text()))
        self.folder = folder
        self.root = folder / root / "dreamblock" / "tiny"

    def start(self, component, parameters, artifacts, execution="0", **variables):
        """The process of a component, the first in a group of its own, and the paths of its artifacts."""
        task = self.root / component / execution
        declared = self.spec["components"][f"comp-{component}"]["outputDefinitions"]
        paths = {name: task / name for name in declared.get("artifacts", {})}
        executor_input = {
            "inputs": {
                "parameterValues": parameters,
                "artifacts": {
                    name: {"artifacts": list(map(self.artifact, given))} for name, given in artifacts.items()
                },
            },
            "outputs": {
                "parameters": {name: {"outputFile": self.seen(task / name)} for name in declared.get("parameters", {})},
                "artifacts": {name: {"artifacts": [self.artifact(path)]} for name, path in paths.items()},
                "outputFile": self.seen(task / "executor_output.json"),
            },
        }
        task.mkdir(parents=True)
        container = self.spec["deploymentSpec"]["executors"][f"exec-{component}"]["container"]
        command = [
            json.dumps(executor_input) if part == "{{$}}" else part for part in container["command"] + container["args"]
        ]
        return self.process(task, container["image"], command, variables), paths

    def run(self, component, parameters, artifacts, execution="0"):
        """The parameters that the component puts out, and the paths of its artifacts."""
        process, paths = self.start(component, parameters, artifacts, execution)
        _, said = process.communicate()
        assert process.returncode == 0, said
        task = self.root / component / execution
        written = json.loads((task / "executor_output.json").read_text())
        return written.get("parameterValues"), paths

    def process(self, task, image, command, variables):
        """The process of a step's command, with these environment variables."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "ignore"}
        return subprocess.Popen(
            command,
            env=environment | variables,
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def seen(self, path):
        """A path as the step sees it."""
        return str(path)

    def uri(self, path):
        return str(path)

    def artifact(self, path):
        return {"name": path.name, "uri": self.uri(path), "metadata": {}}


def whole_run(cluster, preset, seed, overrides):
    """Every component once, from the plan to the verdict: parameters of the plan, and all artifacts' paths."""
    planned, _ = cluster.run("plan", {"preset": preset, "seed": seed, "overrides": overrides}, {})
    shards = [
        cluster.run("generate-data", {"shard": shard}, {}, str(i))[1]["episodes"]
        for i, shard in enumerate(planned["shards"])
    ]
    paths = {"episodes": shards, **cluster.run("start", {"start": planned["start"]}, {})[1]}
    given = {"episodes": shards, "initial": [paths["initial_world_model"]]}
    paths |= cluster.run("train-world-model", {"config": planned["world_model"]}, given)[1]
    given |= {"world_model": [paths["world_model"]], "initial": [paths["initial_policy"]]}
    cluster.run("check", {"config": planned["check"]}, {"world_model": given["world_model"]})
    paths |= cluster.run("train-policy", {"config": planned["policy"]}, given)[1]
    learned = {"world_model": given["world_model"], "policy": [paths["policy"]]}
    judged = {"configuration": planned["configuration"], "run_id": "tiny"}
    paths |= cluster.run("evaluate", judged, learned)[1]
    learned["evaluation"] = [paths["evaluation"]]
    paths |= {"verdict": cluster.run("promote", judged | {"champion": ""}, learned)[1]["verdict"]}
    return planned, paths
