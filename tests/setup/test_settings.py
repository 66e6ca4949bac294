"""Which project, cluster and bucket is meant, for the scripts and the doctor alike.

python -m pytest tests/setup/test_settings.py
"""

import pytest

from setup.settings import Settings, read_settings


def test_files_in_the_root_are_read_and_the_environment_goes_before_them(tmp_path, cloud):
    for folder in (tmp_path, cloud.folder):
        (folder / "GKE_PROJECT").write_text("from-a-file\n")
        (folder / "GKE_CLUSTER").write_text("dreams\n")
    settings = read_settings(tmp_path, {})
    assert settings == Settings("from-a-file", "dreams", "us-central1-a", "from-a-file-dreamblock")
    assert settings.context == "gke_from-a-file_us-central1-a_dreams"
    assert read_settings(tmp_path, {"GKE_PROJECT": "from-the-environment"}).project == "from-the-environment"

    done = cloud.run("storage", "up", "--dry-run", GKE_PROJECT="", GKE_CLUSTER="")
    assert "gs://from-a-file-dreamblock" in done.stdout
    assert "gs://from-a-file-dreamblock" not in cloud.run("storage", "up", "--dry-run").stdout


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("GKE_PROJECT", "", "GKE_PROJECT"),
        ("GKE_CLUSTER", "", "GKE_CLUSTER"),
        ("GKE_PROJECT", "My_Dreams", "GKE_PROJECT must be 6 to 30 of a-z, 0-9 and -"),
        ("GKE_PROJECT", "dream", "GKE_PROJECT must be 6 to 30"),
        ("GKE_CLUSTER", "a-", "GKE_CLUSTER must be 1 to 40"),
        ("GKE_ZONE", "us-central1", "GKE_ZONE must be a zone like us-central1-a"),
        ("GKE_BUCKET", "ab", "GKE_BUCKET must be 3 to 63"),
        ("GKE_BUCKET", "a" * 64, "GKE_BUCKET must be 3 to 63"),
        ("GKE_BUCKET", "My-Bucket", "GKE_BUCKET must be 3 to 63 of a-z, 0-9, - and _"),
        ("GKE_BUCKET", "-dreams", "begin and end with a letter or a digit"),
        ("GKE_BUCKET", "goog-dreams", "neither begin with goog nor contain google"),
        ("GKE_BUCKET", "my-google-dreams", "neither begin with goog nor contain google"),
    ],
)
def test_names_that_break_the_rules_are_refused_by_scripts_and_doctor_alike(tmp_path, cloud, name, value, said):
    given = {"GKE_PROJECT": "my-dreams", "GKE_CLUSTER": "dreamblock", name: value}
    with pytest.raises(ValueError, match=said) as refused:
        read_settings(tmp_path, given)
    done = cloud.run("storage", "up", "--yes", **given)
    assert done.returncode == 2
    if value:  # else each names its root
        assert done.stderr == f"setup/storage.sh: {refused.value}\n"
    assert said in done.stderr
    assert cloud.log() == []


def test_a_bucket_may_be_given_as_a_uri(tmp_path):
    given = {"GKE_PROJECT": "my-dreams", "GKE_CLUSTER": "dreamblock", "GKE_BUCKET": "gs://my_dreams-2"}
    assert read_settings(tmp_path, given).bucket == "my_dreams-2"
