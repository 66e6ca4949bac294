"""images/build.sh against stand-ins of docker and gcloud that record, and a small registry.

python -m pytest tests/images/test_build_script.py
"""

import json
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from tiny_run import PROJECT

from pipelines import images
from viewer.commit import VARIABLE, commit

pytestmark = pytest.mark.skipif(
    not shutil.which("curl"), reason="curl, with which registries are asked, is not installed"
)
DIGESTS = {name: f"sha256:{digit * 64}" for name, digit in (("cpu", "a"), ("gpu", "b"), ("base", "c"))}
REGISTRY = "us-central1-docker.pkg.dev/my-dreams/dreamblock"
BASE = re.findall(r"^ARG BASE_IMAGE=(.*)$", (PROJECT / "images" / "Dockerfile").read_text(), re.MULTILINE)[0]
OURS_ALONE = shutil.ignore_patterns("lock.json", "__pycache__")
# Records its words and answers with the digest of the image that it is asked for, unless it shall fail.
STAND_IN = """\
import json, pathlib, sys
here, words = pathlib.Path(__file__).parent, [pathlib.Path(__file__).name, *sys.argv[1:]]
with (here / "log").open("a") as log:
    log.write(json.dumps(words) + "\\n")
digests = json.loads((here / "digests").read_text())
if words[1] == (here / "fails").read_text():
    sys.exit("no")
if "inspect" in words or "describe" in words:
    name = next(word for word in words if "pkg.dev/" in word).partition(":")[0]
    digest = digests[name.rpartition("/")[2]]
    print(f"other.example/x@sha256:{'e' * 64}\\n{name}@{digest}" if words[0] == "docker" else digest)
"""


class Checkout:
    """A repository with the script in it, stand-ins first on PATH, and what they were asked."""

    def __init__(self, folder):
        self.folder, self.bin = folder / "checkout", folder / "bin"
        self.bin.mkdir()
        for name in ("docker", "gcloud"):
            (self.bin / name).write_text(f"#!{sys.executable} -SE\n{STAND_IN}")
            (self.bin / name).chmod(0o755)
        (self.bin / "digests").write_text(json.dumps(DIGESTS))
        (self.bin / "fails").write_text("")
        for part in ("images", "setup"):
            shutil.copytree(PROJECT / part, self.folder / part, ignore=OURS_ALONE)
        (self.folder / ".gitignore").write_text("/images/lock.json\n")
        self.git("init", "-q")
        self.git("add", ".")
        self.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first")
        self.commit = self.git("rev-parse", "HEAD")
        self.lock = self.folder / "images" / "lock.json"

    def git(self, *words):
        return subprocess.check_output(["git", *words], cwd=self.folder, text=True).strip()

    def build(self, *options, **settings):
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "GKE_PROJECT": "my-dreams", "GKE_CLUSTER": "dreamblock"}
        return subprocess.run(
            ["bash", "images/build.sh", *options],
            cwd=self.folder,
            env=environment | settings,
            capture_output=True,
            text=True,
        )

    def log(self):
        log = self.bin / "log"
        found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        log.unlink(missing_ok=True)
        return found


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture(params=["with tokens", "open"])
def registry(request):
    """A registry on loopback that has python:3.11.15; one wants a token, as Docker Hub does."""

    class Registry(BaseHTTPRequestHandler):
        server: HTTPServer

        def do_HEAD(self):
            if request.param == "with tokens" and self.headers.get("Authorization") != "Bearer t0k":
                self.send_response(401)
                realm = f"http://localhost:{self.server.server_port}/token"
                self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="registry"')
            elif self.path == "/v2/library/python/manifests/3.11.15" and "image.index" in self.headers["Accept"]:
                self.send_response(200)
                self.send_header("Docker-Content-Digest", DIGESTS["base"])
            else:
                self.send_response(404)
            self.end_headers()

        def do_GET(self):
            assert unquote(self.path) == "/token?service=registry&scope=repository:library/python:pull"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"token": "t0k", "expires_in": 300}')

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"localhost:{server.server_port}/library/python"
    server.shutdown()
    server.server_close()


def test_docker_builds_and_pushes_both_and_the_lock_has_their_digests(checkout, registry, monkeypatch):
    done = checkout.build("--base", f"{registry}:3.11.15", "--", "--progress=plain")
    assert done.returncode == 0, done.stderr
    base = f"{registry}:3.11.15@{DIGESTS['base']}"
    words = checkout.log()
    for number, target in enumerate(("cpu", "gpu")):
        build, push = words[2 * number : 2 * number + 2]
        tag = f"{REGISTRY}/{target}:{checkout.commit}"
        assert build[:2] == ["docker", "build"]
        assert {f"--target={target}", f"--tag={tag}", f"--build-arg=BASE_IMAGE={base}", "--progress=plain"} <= {*build}
        assert {f"--build-arg=COMMIT={checkout.commit}", "--platform=linux/amd64", "."} <= {*build}
        assert push == ["docker", "push", tag]
    assert json.loads(checkout.lock.read_text()) == {
        "commit": checkout.commit,
        "base": base,
        "cpu": f"{REGISTRY}/cpu@{DIGESTS['cpu']}",
        "gpu": f"{REGISTRY}/gpu@{DIGESTS['gpu']}",
    }
    monkeypatch.setattr(images, "LOCK", checkout.lock)
    monkeypatch.setattr("viewer.commit.PROJECT", checkout.folder)
    monkeypatch.delenv(VARIABLE, raising=False)
    built = images.built()
    assert built
    assert (built.gpu, built.commit) == (f"{REGISTRY}/gpu@{DIGESTS['gpu']}", commit(40))
    assert checkout.build("--base", "localhost:1/x:2").returncode == 0, "the lock is no change of the checkout"


def test_a_digest_that_no_registry_says_is_not_written(checkout, registry):
    for base in (f"{registry}:3.11.99", "localhost:1/python:3.11.15"):
        done = checkout.build("--base", base)
        assert done.returncode == 0, done.stderr
        assert f"base: {base}, whose digest is not known" in done.stdout
        assert f"--build-arg=BASE_IMAGE={base}" in checkout.log()[0]
        assert json.loads(checkout.lock.read_text())["base"] is None


def test_on_a_base_that_nobody_knows_nothing_is_built_unless_it_is_asked_for_by_name(checkout):
    base, dockerfile = "localhost:1/python:3.11.15", checkout.folder / "images" / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace(BASE, base))
    for how in ([], ["--cloud"], ["--no-push"]):
        done = checkout.build("--dirty", *how)
        assert done.returncode == 1
        assert f"no registry says which digest the base {base} has" in done.stderr
        assert checkout.log() == []
        assert not checkout.lock.exists()
    assert checkout.build("--dirty", "--base", base).returncode == 0


def test_without_curl_it_is_said_and_nothing_is_built(checkout, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "basename", "dirname", "git", "sed", "tr"):
        (tools / name).symlink_to(shutil.which(name))
    done = checkout.build("--no-push", PATH=f"{checkout.bin}:{tools}")
    assert done.returncode == 1
    assert done.stderr == "images/build.sh: curl is not installed\n"
    assert checkout.log() == []


def test_cloud_build_is_told_all_and_asked_for_the_digests(checkout):
    pinned = f"python:3.11.15@{DIGESTS['base']}"
    done = checkout.build("--cloud", "--base", pinned)
    assert done.returncode == 0, done.stderr
    submit, *describe = checkout.log()
    substitutions = f"_REGISTRY={REGISTRY},_COMMIT={checkout.commit},_BASE_IMAGE={pinned}"
    assert submit == [
        *("gcloud", "builds", "submit", ".", "--project=my-dreams", "--config=images/cloudbuild.yaml"),
        f"--substitutions={substitutions}",
        "--service-account=projects/my-dreams/serviceAccounts/dreamblock-build@my-dreams.iam.gserviceaccount.com",
        "--gcs-source-staging-dir=gs://my-dreams-dreamblock/builds",
        "--suppress-logs",
    ]
    assert [words[5] for words in describe] == [f"{REGISTRY}/{name}:{checkout.commit}" for name in ("cpu", "gpu")]
    lock = json.loads(checkout.lock.read_text())
    assert (lock["base"], lock["cpu"]) == (pinned, f"{REGISTRY}/cpu@{DIGESTS['cpu']}")


def test_cloud_build_makes_what_docker_makes(checkout):
    config = yaml.safe_load((PROJECT / "images" / "cloudbuild.yaml").read_text())
    values = {"_REGISTRY": REGISTRY, "_COMMIT": checkout.commit, "_BASE_IMAGE": "localhost:1/x:2"}
    assert checkout.build("--base", values["_BASE_IMAGE"]).returncode == 0
    builds = [words[1:] for words in checkout.log() if words[1] == "build"]

    def filled(text):
        return re.sub(r"\$(_[A-Z_]+)", lambda name: values[name[1]], text)

    cloud = [[filled(word) for word in step["args"]] for step in config["steps"]]
    assert cloud == [[word for word in words if word != "--platform=linux/amd64"] for words in builds]
    tags = [word.removeprefix("--tag=") for words in builds for word in words if word.startswith("--tag=")]
    assert list(map(filled, config["images"])) == tags
    assert config["options"]["logging"] == "CLOUD_LOGGING_ONLY"


def test_changes_that_are_in_no_commit_are_not_built_unless_told(checkout):
    (checkout.folder / "images" / "new").write_text("")
    done = checkout.build("--base", "localhost:1/x:2")
    assert done.returncode == 2
    assert "changes that are in no commit" in done.stderr
    assert checkout.log() == []
    assert checkout.build("--base", "localhost:1/x:2", "--dirty").returncode == 0
    assert f"--build-arg=COMMIT={checkout.commit}-dirty" in checkout.log()[0]
    assert json.loads(checkout.lock.read_text())["commit"] == f"{checkout.commit}-dirty"


@pytest.mark.parametrize("fails", ["build", "push", "image"])
def test_a_failure_leaves_the_lock_as_it_was(checkout, fails):
    checkout.lock.write_text("before")
    (checkout.bin / "fails").write_text(fails)
    done = checkout.build("--base", "localhost:1/x:2")
    assert done.returncode == 1
    assert checkout.lock.read_text() == "before"


@pytest.mark.parametrize("missing", ["cpu", "gpu"])
def test_a_digest_that_is_none_is_not_written(checkout, missing):
    (checkout.bin / "digests").write_text(json.dumps(DIGESTS | {missing: ""}))
    for how in ([], ["--cloud"]):
        done = checkout.build("--base", "localhost:1/x:2", *how)
        assert done.returncode == 1
        assert "nobody says which digest" in done.stderr
        assert not checkout.lock.exists()


def test_without_a_push_nothing_is_pushed_or_written_and_no_project_is_needed(checkout):
    done = checkout.build("--no-push", "--base", "localhost:1/x:2", GKE_PROJECT="")
    assert done.returncode == 0, done.stderr
    assert [words[1] for words in checkout.log()] == ["build", "build"]
    assert not checkout.lock.exists()


@pytest.mark.parametrize("how", [[], ["--cloud"]])
def test_a_dry_run_prints_the_commands_and_runs_none(checkout, how):
    done = checkout.build("--dry-run", *how)
    assert done.returncode == 0, done.stderr
    assert checkout.log() == []
    assert not checkout.lock.exists()
    assert f"# asks the registry of {BASE} for its digest" in done.stdout
    assert ("gcloud builds submit" if how else "docker push") in done.stdout
    assert subprocess.run(["bash", "-n"], input=done.stdout, text=True).returncode == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--clout"], "there is no option --clout; bash images/build.sh --help lists them"),
        (["--base"], "--base needs a value"),
        (["--base", "python"], "--base must have a tag or a digest, got python"),
        (["--cloud", "--no-push"], "does not go with --no-push"),
        (["--cloud", "--", "--pull"], "options for docker build do not go with --cloud"),
    ],
)
def test_a_mistake_is_said_in_a_sentence(checkout, options, said):
    done = checkout.build(*options)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert checkout.log() == []


def test_the_script_and_the_dockerfile_are_clean():
    tools = Path(sys.executable).parent
    for command in (["shellcheck", "-x", "images/build.sh"], ["hadolint", "images/Dockerfile"]):
        done = subprocess.run([tools / command[0], *command[1:]], cwd=PROJECT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_a_checkout_that_is_its_users_alone_makes_images_that_the_steps_can_read():
    copied = re.findall(r"^COPY (?!--from).*", (PROJECT / "images" / "Dockerfile").read_text(), re.MULTILINE)
    assert [line for line in copied if line.endswith(" . .")] == ["COPY --chmod=755 . ."] * 2


def test_the_base_is_a_full_version():
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", BASE)


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
def test_every_flag_is_one_of_the_real_gcloud(checkout):
    assert checkout.build("--cloud", "--base", "localhost:1/x:2").returncode == 0
    for words in checkout.log():
        *command, _ = [word for word in words if not word.startswith("-")]
        text = subprocess.run([*command, "--help"], capture_output=True, text=True).stdout
        help_ = re.sub(r"\x1b\[[0-9;]*m", "", text)
        for flag in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert flag in help_ or flag in ("--project", "--format"), (command, flag)
