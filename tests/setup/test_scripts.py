"""setup/'s scripts against recording stand-ins of gcloud and kubectl: python -m pytest tests/setup/test_scripts.py

Longer: python -m pytest -m long tests/setup/test_scripts.py
"""

import ast
import functools
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cloud import SCRIPTS
from cloud_stand_in import VERBS, changes

SETUP = Path(__file__).parents[2] / "setup"
each_script = pytest.mark.parametrize("script", SCRIPTS)
WIDE = {"--project", "--format", "--flatten", "--quiet"}  # flags of every gcloud command


def printed(output):
    """The commands that a dry run prints."""
    return [shlex.split(line) for line in output.splitlines() if not line.startswith("#")]


@each_script
def test_a_second_time_there_is_nothing_to_do_nor_to_ask(script, stages, cloud):
    stage = stages[script]
    assert stage.up
    assert stage.down
    cloud.restore(stage.after)
    again = cloud.run(script, "up", *SCRIPTS[script])
    assert again.returncode == 0, again.stderr
    assert "there" in again.stdout
    cloud.restore(stage.gone)
    gone = cloud.run(script, "down", *SCRIPTS[script])
    assert gone.returncode == 0, gone.stderr
    assert cloud.changes() == []


@each_script
def test_down_leaves_nothing_of_what_up_has_made(script, stages):
    # What a project has goes with it; kubectl's own file keeps a cluster that is gone.
    kept = {"project": {"billing", "services"}, "cluster": {"context"}}.get(script, set())
    stage = stages[script]
    assert {thing[0] for thing in stage.gone if thing not in stage.before} == kept
    assert [thing for thing in stage.before if thing not in stage.gone] == []


@each_script
def test_a_dry_run_prints_what_a_run_does_and_does_nothing(script, stages, cloud):
    for verb, ran in (("up", stages[script].up), ("down", stages[script].down)):
        dry = cloud.run(script, verb, *SCRIPTS[script], "--dry-run")
        assert dry.returncode == 0, dry.stderr
        subprocess.run(["bash", "-n"], input=dry.stdout, text=True, check=True)
        meant = [words for words in printed(dry.stdout) if changes(words)]
        known = {"pvc-of-dreamblock": "DISK"}  # a dry run does not know a disk's name
        assert [[word.replace(str(cloud.folder), "FOLDER") for word in words] for words in meant] == [
            [known.get(word, word) for word in words] for words in ran
        ]
    assert cloud.log() == []
    assert not (cloud.folder / "build").exists()


def fail_at(cloud, script, stage, at):
    """Run a script that fails at a command, and again."""
    cloud.restore(stage.before)
    whole = [[word.replace("FOLDER", str(cloud.folder)) for word in words] for words in stage.up]
    cloud.fail(whole[at])
    broken = cloud.run(script, "up", *SCRIPTS[script], "--yes")
    assert broken.returncode == 1
    assert "what is done is not done twice" in broken.stderr
    ran = cloud.changes()
    assert ran[at:] == [whole[at]] * len(ran[at:])
    cloud.fail([])
    again = cloud.must_run(script, "up", *SCRIPTS[script])
    if script == "kubeflow":  # what is declared may be applied again
        again = [words for words in again if words not in ran[:at]]
    assert ran[:at] + again == whole


@each_script
def test_after_a_failure_in_the_middle_the_rest_is_done_and_nothing_twice(script, stages, cloud):
    fail_at(cloud, script, stages[script], len(stages[script].up) // 2)


@pytest.mark.long
@each_script
def test_after_a_failure_at_any_command_the_rest_is_done_and_nothing_twice(script, stages, cloud):
    for at in range(len(stages[script].up)):
        fail_at(cloud, script, stages[script], at)


def test_what_costs_money_says_what_and_asks_first(cloud):
    refused = cloud.run("cluster", "up", answer="n\n")
    assert refused.returncode == 1
    assert "The cluster costs 0.241 USD an hour (1 x gke-cluster 0.100, 1 x e2-standard-4 0.134" in refused.stdout
    assert "; list prices read on 2023-05-18 or later)" in refused.stdout
    assert "not confirmed, nothing was changed" in refused.stderr
    assert cloud.changes() == []
    assert cloud.run("cluster", "up", answer="y\n").returncode == 0
    assert cloud.changes()


def test_nobody_to_ask_is_no_confirmation(cloud):
    assert cloud.run("storage", "up").returncode == 1
    assert cloud.changes() == []


@pytest.mark.parametrize(
    ("arguments", "zone", "said"),
    [
        (["--count", "2"], "", "2.015 USD an hour (1 x g2-standard-24 0.881, 2 x nvidia-l4 1.120"),
        (["--spot"], "", "0.354 USD an hour (1 x g2-standard-8-spot 0.117, 1 x nvidia-l4-spot 0.223"),
        (["--type", "nvidia-h200-141gb", "--count", "8"], "", "costs an unknown sum (1 x a3-ultragpu-8g unknown"),
        (
            ["--type", "nvidia-h200-141gb", "--count", "8"],
            "",
            "says nothing of a3-ultragpu-8g and nvidia-h200-141gb and hyperdisk-balanced-gib in us-c",
        ),
        ([], "europe-west4-b", "costs an unknown sum (1 x g2-standard-8 unknown, 1 x nvidia-l4 unknown"),
    ],
)
def test_a_gpu_nodes_price_is_the_tables_or_unknown(cloud, arguments, zone, said):
    done = cloud.run("gpus", "up", *arguments, "--dry-run", GKE_ZONE=zone)
    assert said in done.stdout


@pytest.mark.parametrize(
    ("type", "count", "disk"),
    [
        ("nvidia-l4", "1", "pd-balanced"),
        ("nvidia-h100-80gb", "8", "pd-balanced"),
        ("nvidia-h200-141gb", "8", "hyperdisk-balanced"),
        ("nvidia-b200", "8", "hyperdisk-balanced"),
        ("nvidia-rtx-pro-6000", "1", "hyperdisk-balanced"),
    ],
)
def test_a_machine_gets_a_disk_that_it_takes(cloud, type, count, disk):
    done = cloud.run("gpus", "up", "--type", type, "--count", count, "--dry-run")
    assert f"--disk-type={disk} " in done.stdout


def test_each_price_has_a_source_and_a_date():
    rows = [line.split("\t") for line in (SETUP / "prices.tsv").read_text().splitlines() if not line.startswith("#")]
    assert len(rows) > 20
    for _, region, price, source, read in rows:
        assert re.fullmatch(r"any|[a-z]+-[a-z]+\d", region)
        assert 0 < float(price) < 100
        assert re.search(r"\w\.\w+/", source)
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", read)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--type", "nvidia-t4"], "got nvidia-t4; the nearest is nvidia-tesla-t4"),
        (["--type", "A100"], "got A100; the nearest is nvidia-a100-80gb"),
        (["--type", "nvidia-h100"], "got nvidia-h100; the nearest is nvidia-h100-80gb"),
        (["--type", "nvidia-l5"], "got nvidia-l5; the nearest is nvidia-l4"),
        (["--type", "tpu-v5e"], "the nearest is nvidia-"),
        (["--count", "0"], "--count must be 1, 2, 4 or 8 for nvidia-l4, got 0"),
        (["--count", "9"], "--count must be 1, 2, 4 or 8 for nvidia-l4, got 9"),
        (["--type", "nvidia-tesla-t4", "--count", "8"], "--count must be 1, 2 or 4 for nvidia-tesla-t4, got 8"),
        (["--type", "nvidia-b200", "--count", "1"], "--count must be 8 for nvidia-b200, got 1"),
        (["--type", "nvidia-h100-80gb"], "nodes with 1 nvidia-h100-80gb on spot only: add --spot"),
        (["--max-nodes", "0"], "--max-nodes must be 1 to 999, got 0"),
        (["--gpus", "1"], "there is no option --gpus"),
        (["--type"], "--type needs a value"),
        (["sideways"], "the first word must be up or down, got sideways"),
    ],
)
def test_gpus_that_there_are_not_are_refused_with_what_there_is(cloud, arguments, said):
    done = cloud.run("gpus", "up", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert cloud.log() == []


def test_a_zone_without_the_gpu_is_said(stages, cloud):
    cloud.restore(stages["cluster"].after)
    done = cloud.run("gpus", "up", "--type", "nvidia-b200", "--count", "8", "--yes")
    assert done.returncode == 1
    assert "zone us-central1-a has no nvidia-b200: gcloud compute accelerator-types list" in done.stderr
    assert cloud.changes() == []


def test_a_project_that_may_have_no_gpu_is_said(stages, cloud):
    cloud.restore(stages["cluster"].after)
    (cloud.folder / "bin" / "quota").write_text("CPUS,24.0\nGPUS_ALL_REGIONS,0.0")
    done = cloud.run("gpus", "up", "--yes")
    assert done.returncode == 1
    assert "may have no GPU: ask for more of GPUS_ALL_REGIONS on https://console" in done.stderr
    assert cloud.changes() == []


def test_names_that_only_begin_alike_are_others(cloud):
    cloud.restore(
        [
            ["container clusters", "dreamblock-2", {"location": "us-central1-a"}],
            ["storage buckets", "gs://my-dreams-dreamblock-2", {}],
        ]
    )
    for script in ("cluster", "storage"):
        assert any("create" in words and words[1] != "iam" for words in cloud.must_run(script, "up"))


def test_no_cluster_is_said_before_a_pool_or_kubeflow_is_made(cloud):
    for script in ("gpus", "kubeflow"):
        done = cloud.run(script, "up", "--yes")
        assert done.returncode == 1
        assert "bash setup/cluster.sh up" in done.stderr
    assert cloud.changes() == []


def test_a_pool_gets_another_size(stages, cloud):
    cloud.restore(stages["gpus"].after)
    ((*_, pool, _, _, _, _, least, most),) = cloud.must_run("gpus", "up", *SCRIPTS["gpus"], "--max-nodes", "3")
    assert (pool, least, most) == ("nvidia-l4-1-spot", "--min-nodes=0", "--max-nodes=3")


def test_a_pool_of_gpus_begins_with_no_node_and_shrinks_to_none(stages):
    (pool,) = stages["gpus"].up
    assert {"--num-nodes=0", "--min-nodes=0", "--enable-autoscaling", "--spot"} <= set(pool)
    assert "--node-taints=cloud.google.com/gke-spot=true:NoSchedule" in pool


def test_a_project_without_billing_is_said(cloud):
    done = cloud.run("project", "up", "--yes")
    assert done.returncode == 1
    assert "give --billing-account, one of: gcloud billing accounts list" in done.stderr


def test_a_project_that_was_there_before_is_never_deleted(cloud):
    cloud.restore([["projects", "my-dreams", {}]])
    done = cloud.run("project", "down", "--yes")
    assert done.returncode == 0
    assert "left as it is" in done.stdout
    assert cloud.changes() == []


def test_disks_that_a_cluster_leaves_behind_are_deleted_and_no_others(stages, cloud):
    other = ["compute disks", "pvc-of-another", {"location": "us-central1-a", "cluster": "dreamblock-2"}]
    cloud.restore([*stages["cluster"].after, other])
    deleted = [words for words in cloud.must_run("cluster", "down") if "disks" in words]
    assert [words[:6] for words in deleted] == [
        ["gcloud", "compute", "disks", "delete", "pvc-of-dreamblock", "--project=my-dreams"]
    ]


def test_disks_of_a_cluster_that_is_gone_are_deleted_after_a_question(stages, cloud):
    cloud.restore([thing for thing in stages["cluster"].after if thing[0] != "container clusters"])
    refused = cloud.run("cluster", "down", answer="n\n")
    assert refused.returncode == 1
    assert "Delete what the cluster dreamblock left behind, pvc-of-dreamblock? [y/N]" in refused.stdout
    assert cloud.changes() == []
    assert cloud.run("cluster", "down", answer="y\n").returncode == 0
    assert any("disks" in words for words in cloud.changes())


def test_the_account_of_nodes_stays_while_there_is_another_cluster(stages, cloud):
    other = ["container clusters", "dreams", {"location": "us-central1-b"}]
    cloud.restore([*stages["cluster"].after, other])
    done = cloud.run("cluster", "down", "--yes")
    assert done.returncode == 0
    assert "service account dreamblock-nodes: stays, for nodes of dreams,us-central1-b may have it" in done.stdout
    assert not any("iam" in " ".join(words) for words in cloud.changes())
    assert other in cloud.made()


def test_kubectl_is_pointed_at_the_cluster_whatever_it_knew(stages, cloud):
    cloud.restore(stages["cluster"].after)
    assert cloud.run("cluster", "up").returncode == 0
    assert any("get-credentials" in words for words in cloud.log())


def test_a_bucket_that_held_something_is_never_deleted(cloud):
    bucket = ["storage buckets", "gs://my-dreams-dreamblock", {"location": "us-central1"}]
    cloud.restore([bucket, ["objects", "gs://my-dreams-dreamblock/thesis.pdf", {}]])
    cloud.must_run("storage", "up")
    done = cloud.run("storage", "down", "--yes")
    assert done.returncode == 0
    assert "left as it is, for setup/storage.sh did not make it" in done.stdout
    assert not any("rm" in words for words in cloud.changes())
    assert bucket[1] in [name for _, name, _ in cloud.made()]


def test_a_deletion_of_kubeflow_that_broke_off_is_gone_on_with(stages, cloud):
    stage = stages["kubeflow"]
    cloud.restore(stage.after)
    cloud.fail([word.replace("FOLDER", str(cloud.folder)) for word in stage.down[-1]])
    assert cloud.run("kubeflow", "down", "--yes").returncode == 1
    cloud.fail([])
    assert cloud.must_run("kubeflow", "down")[-1] == stage.down[-1]
    assert cloud.made() == stage.gone


def test_rights_are_those_of_one_bucket_and_one_repository_and_nobody_has_a_key(stages):
    commands = [words for stage in stages.values() for words in stage.up]
    granted = {
        (" ".join(words[1 : words.index("add-iam-policy-binding")]), word.removeprefix("--role="))
        for words in commands
        for word in words
        if word.startswith("--role=")
    }
    assert granted == {
        ("projects", "roles/container.defaultNodeServiceAccount"),
        ("projects", "roles/logging.logWriter"),
        ("storage buckets", "roles/storage.objectUser"),
        ("storage buckets", "roles/storage.objectViewer"),
        ("artifacts repositories", "roles/artifactregistry.reader"),
        ("artifacts repositories", "roles/artifactregistry.writer"),
        ("iam service-accounts", "roles/iam.workloadIdentityUser"),
    }
    assert not any("keys" in words for words in commands)


def test_a_token_that_is_not_good_is_no_absence(cloud):
    question = cloud.run("cluster", "up", "--dry-run")
    cloud.fail(printed(question.stdout)[0])
    done = cloud.run("cluster", "up", "--yes")
    assert done.returncode == 1
    assert "no answer to: gcloud container clusters list" in done.stderr
    assert cloud.changes() == []


def test_missing_programs_are_said(cloud):
    for name in ("gcloud", "kubectl"):
        (cloud.folder / "bin" / name).unlink()
    bare = cloud.folder / "tools"
    bare.mkdir()
    for name in ("bash", "basename", "dirname", "tr", "awk", "grep"):
        (bare / name).symlink_to(shutil.which(name))
    done = cloud.run("project", "up", PATH=str(bare))
    assert done.returncode == 1
    assert "gcloud is not installed" in done.stderr


@each_script
def test_help_says_what_up_and_down_do(cloud, script):
    done = cloud.run(script, "--help", GKE_PROJECT="", GKE_CLUSTER="")
    assert done.returncode == 0
    assert f"bash setup/{script}.sh up|down" in done.stdout
    assert "\nup " in done.stdout
    assert "\ndown " in done.stdout
    assert all(len(line) <= 120 for line in done.stdout.splitlines())
    assert cloud.log() == []


def test_the_scripts_are_clean():
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, *SETUP.glob("*.sh")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def flags_by_command(cloud, stages, program):
    """What the scripts run of a program, up and down again and once with another size of a pool."""
    for verb, scripts in (("up", list(SCRIPTS)), ("down", list(reversed(SCRIPTS)))):
        for script in scripts:
            cloud.run(script, verb, *SCRIPTS[script], "--yes")
    cloud.restore(stages["gpus"].after)
    cloud.run("gpus", "up", *SCRIPTS["gpus"], "--max-nodes", "2", "--yes")
    used: dict[tuple[str, ...], set[str]] = {}
    for words in cloud.log():
        if words[0] == program:
            end = next(n for n, word in enumerate(words) if word in VERBS) + 1
            command = tuple(word for word in words[:end] if not word.startswith("--"))
            used.setdefault(command, set()).update(word.split("=")[0] for word in words if word.startswith("--"))
    return used


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_every_flag_is_one_of_the_real_kubectl(stages, cloud):
    used = flags_by_command(cloud, stages, "kubectl")
    assert {words[1] for words in used} == {"apply", "annotate", "config", "delete", "get", "wait"}
    for command, flags in used.items():
        helps = [subprocess.check_output(words, text=True) for words in ([*command, "--help"], ["kubectl", "options"])]
        assert flags <= set(re.findall(r"--[a-z-]+", "".join(helps))), command


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
def test_every_flag_is_one_of_the_real_gcloud(stages, cloud):
    used = {command: flags - WIDE for command, flags in flags_by_command(cloud, stages, "gcloud").items()}
    assert len(used) > 30
    # What it completes by: to ask each command for its --help takes a second a command.
    completions = Path(str(shutil.which("gcloud"))).resolve().parents[1] / "data" / "cli" / "gcloud_completions.py"
    tree = ast.literal_eval(completions.read_text().partition("STATIC_COMPLETION_CLI_TREE = ")[2])
    for command, flags in used.items():
        known = functools.reduce(lambda branch, word: branch["commands"][word], command[1:], tree)["flags"]
        assert flags <= known.keys(), command


def test_each_command_of_the_how_to_is_one_of_the_scripts(cloud):
    text = (SETUP.parent / "docs" / "gke.md").read_text()
    commands = re.findall(r"^    bash setup/(\w+)\.sh (.+)$", text, re.MULTILINE)
    assert {script for script, _ in commands} == set(SCRIPTS)
    for script, arguments in commands:
        done = cloud.run(script, *shlex.split(arguments), "--dry-run")
        assert done.returncode == 0, done.stderr
