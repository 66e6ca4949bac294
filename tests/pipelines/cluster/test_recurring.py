"""Recurring runs and lists on a stand-in for a cluster: python -m pytest tests/pipelines/cluster/test_recurring.py"""

from kubeflow_stand_in import FAILS, SUCCEEDS


def test_a_schedule_is_confirmed_in_words_and_runs_one_at_a_time_without_catching_up(uploaded, submit):
    code, output, _ = submit("schedule", "nightly", "--cron", "30 3 * * 1-5", "--preset", "gpu", "--root", "gs://b-1/p")
    assert code == 0
    first, second, champion, third = output.splitlines()
    assert first == "nightly: At 03:30 on Monday through Friday, in UTC"
    assert "one at a time, and makes up for none that was missed" in second
    assert champion == "each begins from the champion nightly, with fresh data, and replaces it if it beats it"
    assert third.startswith("next: ")
    assert third.count("03:30:00") == 3
    (sent,) = uploaded.bodies("POST /apis/v2beta1/recurringruns")
    assert sent["trigger"] == {"cron_schedule": {"cron": "0 30 3 * * 1-5"}}
    assert (sent["no_catchup"], sent["max_concurrency"], sent["mode"]) == (True, 1, "ENABLE")
    assert sent["runtime_config"] == {
        "parameters": {"preset": "gpu", "champion": "nightly"},
        "pipeline_root": "gs://b-1/p",
    }
    assert sent["pipeline_version_reference"]["pipeline_version_id"] == uploaded.versions[0]["pipeline_version_id"]


def test_a_schedule_may_be_for_another_champion_or_for_none(uploaded, submit):
    submit("schedule", "nightly", "--cron", "0 3 * * *", "--champion", "the-best")
    code, output, _ = submit("schedule", "my runs", "--cron", "0 3 * * *", "--champion", "", "--seed", 3)
    assert (code, "champion" in output) == (0, False)
    sent = [one["runtime_config"]["parameters"] for one in uploaded.bodies("POST /apis/v2beta1/recurringruns")]
    assert sent == [{"champion": "the-best"}, {"seed": 3}]


def test_a_run_may_be_for_a_champion_too(uploaded, submit):
    assert submit("run", "--champion", "nightly")[0] == 0
    (run,) = uploaded.bodies("POST /apis/v2beta1/runs")
    assert run["runtime_config"] == {"parameters": {"champion": "nightly"}}


def test_a_schedule_of_the_same_name_is_replaced_and_there_is_never_none(uploaded, submit):
    submit("schedule", "nightly", "--cron", "0 3 * * *")
    submit("schedule", "weekly", "--cron", "0 3 * * 0")
    (old,) = [one["recurring_run_id"] for one in uploaded.recurring if one["display_name"] == "nightly"]
    code, output, _ = submit("schedule", "nightly", "--cron", "0 4 * * *")
    assert code == 0
    assert output.startswith("nightly: At 04:00 every day, in UTC, instead of the schedule before\n")
    crons = {one["display_name"]: one["trigger"]["cron_schedule"]["cron"] for one in uploaded.recurring}
    assert crons == {"nightly": "0 0 4 * * *", "weekly": "0 0 3 * * 0"}
    changes = [(method, path) for method, path, *_ in uploaded.asked if "recurringruns" in path and method != "GET"]
    assert changes[-2:] == [
        ("POST", "/apis/v2beta1/recurringruns"),
        ("DELETE", f"/apis/v2beta1/recurringruns/{old}"),
    ]


def test_large_and_small_letters_make_two_schedules(uploaded, submit):
    submit("schedule", "nightly", "--cron", "0 3 * * *")
    assert "instead of" not in submit("schedule", "Nightly", "--cron", "0 4 * * *")[1]
    assert [one["display_name"] for one in uploaded.recurring] == ["nightly", "Nightly"]
    code, _, errors = submit("schedule", "NIGHTLY", "--remove")
    assert code == 2
    assert "there is no recurring run 'NIGHTLY'" in errors
    assert len(uploaded.recurring) == 2


def test_of_many_schedules_each_is_found(uploaded, submit, monkeypatch):
    monkeypatch.setattr("pipelines.cluster.pages.PAGE", 2)
    for number in range(5):
        submit("schedule", f"number-{number}", "--cron", "0 3 * * *")
    assert all(f"number-{number}" in submit("list")[1] for number in range(5))


def test_if_the_new_schedule_is_refused_the_old_one_stays(uploaded, submit):
    submit("schedule", "nightly", "--cron", "0 3 * * *")
    before = list(uploaded.recurring)
    uploaded.refusals["POST /apis/v2beta1/recurringruns"] = (500, '{"error_message": "no"}')
    code, _, errors = submit("schedule", "nightly", "--cron", "0 4 * * *")
    assert (code, uploaded.recurring) == (1, before)
    assert "refuses: 500 no" in errors


def test_if_the_old_schedule_cannot_be_removed_that_is_said_and_doing_it_again_mends_it(uploaded, submit):
    submit("schedule", "nightly", "--cron", "0 3 * * *")
    uploaded.refusals["DELETE"] = (503, "")
    code, _, errors = submit("schedule", "nightly", "--cron", "0 4 * * *")
    assert code == 1
    assert "'nightly' is scheduled anew, but its former schedule" in errors
    assert len(uploaded.recurring) == 2
    uploaded.refusals.clear()
    assert submit("schedule", "nightly", "--cron", "0 4 * * *")[0] == 0
    assert [one["trigger"]["cron_schedule"]["cron"] for one in uploaded.recurring] == ["0 0 4 * * *"]


def test_a_schedule_is_removed_by_its_name(uploaded, submit):
    submit("schedule", "nightly", "--cron", "0 3 * * *")
    code, _, errors = submit("schedule", "nigthly", "--remove")
    assert code == 2
    assert "there is no recurring run 'nigthly': the nearest of 1 is 'nightly'" in errors
    for option in (["--preset", "smoke"], ["--set", "data.episodes=512"]):
        code, _, errors = submit("schedule", "nightly", "--remove", *option)
        assert (code, f"{option[0]} is for a run, and does not go with --remove" in errors) == (2, True)
    code, output, _ = submit("schedule", "nightly", "--remove")
    assert (code, uploaded.recurring) == (0, [])
    assert "nightly is removed" in output


def test_the_list_shows_runs_newest_first_and_what_has_started_them(uploaded, submit):
    submit("schedule", "nightly", "--cron", "0 3 * * *")
    (nightly,) = uploaded.recurring
    uploaded.add_run("by-hand", SUCCEEDS[-1])
    uploaded.add_run("by-schedule", FAILS[-1], recurring_run_id=nightly["recurring_run_id"])
    uploaded.add_run("by-a-former-one", FAILS[0], recurring_run_id="gone")
    code, output, _ = submit("list")
    assert code == 0
    runs, recurring = output.split("\n\n")
    rows = [line.split() for line in runs.splitlines()[2:]]
    assert [row[:2] for row in rows] == [
        ["by-a-former-one", "running"],
        ["by-schedule", "failed"],
        ["by-hand", "succeeded"],
    ]
    assert [row[-1] for row in rows] == ["schedule", "nightly", "hand"]
    assert "nightly          enabled  At 03:00 every day" in recurring


def test_a_schedule_that_was_made_elsewhere_is_listed_as_it_is(uploaded, submit):
    here = uploaded.experiments
    triggers = [{"cron_schedule": {"cron": "@every 1h"}}, {"periodic_schedule": {"interval_second": "60"}}]
    for number, trigger in enumerate(triggers):
        uploaded.recurring.append({"recurring_run_id": str(number), "display_name": f"ui-{number}", "trigger": trigger})
    code, output, _ = submit("list")
    assert code == 0
    assert "@every 1h" in output
    assert "not by cron" in output
    assert len(here) == 1


def test_a_list_goes_over_pages_and_ends_at_twenty(cluster, submit, monkeypatch):
    monkeypatch.setattr("pipelines.cluster.pages.PAGE", 7)
    for number in range(30):
        cluster.add_run(f"run-{number}", SUCCEEDS[-1])
    _, output, _ = submit("list")
    assert [row.split()[0] for row in output.splitlines()[2:22]] == [f"run-{number}" for number in range(29, 9, -1)]
    assert "run-9 " not in output
