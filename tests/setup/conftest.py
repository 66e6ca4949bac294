"""Clouds of stand-ins for the tests of setup/'s scripts."""

import pytest
from cloud import SCRIPTS, Cloud, Stage, make_cloud


@pytest.fixture
def cloud(tmp_path) -> Cloud:
    """One in which there is nothing yet."""
    return make_cloud(tmp_path)


@pytest.fixture(scope="session")
def stages(tmp_path_factory) -> dict[str, Stage]:
    """All scripts, in their order, from nothing."""
    cloud, stages = make_cloud(tmp_path_factory.mktemp("cloud")), {}

    def run(script, verb, arguments):
        ran = cloud.must_run(script, verb, *arguments)
        return [[word.replace(str(cloud.folder), "FOLDER") for word in words] for words in ran]

    for script, arguments in SCRIPTS.items():
        before = cloud.made()
        up, after = run(script, "up", arguments), cloud.made()
        down, gone = run(script, "down", arguments), cloud.made()
        stages[script] = Stage(before, up, after, down, gone)
        cloud.restore(after)
    return stages
