"""The components as the cluster runs them, in containers: their commands out of the compiled pipeline, in its images.

`gs://bucket/key` is `/gcs/bucket/key` in a container, which is where Kubeflow's launcher puts what it has fetched.
"""

import subprocess
from pathlib import Path

from cluster import Cluster

from pipelines.build import BuildConfig
from pipelines.platform import Platform

MEASURED: list[str] = []  # lines for the end of the tests
# They talk to the bucket: for checkpoints, the run's record, champions. All others have no network at all.
STORING = {"train-world-model", "check", "train-policy", "evaluate", "promote"}


class Containers(Cluster):
    """Runs the components in containers of these images.

    Args:
        bucket: the name of an empty one at the storage server.
        storage: URL of the server.
    """

    def __init__(self, folder: Path, images: dict[str, str], bucket: str, storage: str):
        super().__init__(folder, BuildConfig(images["cpu"], images["gpu"], platform=Platform()), bucket)
        self.storage = storage

    def process(self, task, image, command, variables):
        task.chmod(0o777)  # the launcher is the image's user, and has made it
        network = "host" if task.parent.name in STORING else "none"
        docker = ["docker", "run", "--rm", f"--network={network}", f"--volume={self.folder}:/gcs"]
        docker += [f"--env={name}={value}" for name, value in variables.items()]
        docker += [f"--env=STORAGE_EMULATOR_HOST={self.storage}", f"--entrypoint={command[0]}", image, *command[1:]]
        return subprocess.Popen(docker, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def seen(self, path):
        return f"/gcs/{path.relative_to(self.folder)}"

    def uri(self, path):
        return f"gs://{path.relative_to(self.folder)}"


def inside(image: str, *command: str) -> str:
    """What a command says in a container of the image, without a network."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", image, *command], capture_output=True, text=True, check=True
    )
    return done.stdout
