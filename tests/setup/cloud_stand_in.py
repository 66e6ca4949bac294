"""A stand-in for gcloud and kubectl, first on PATH: it records what it is asked, and remembers what was made.

It speaks for the few questions that setup/'s scripts ask; anything else it refuses. Its folder holds `log`, a line of
JSON for each command; `made`, one for each thing that exists; and `fails`, the command that it is to fail at.
"""

# pathlib takes longer to import than all the rest.
# ruff: noqa: PTH113, PTH118, PTH119, PTH120, PTH123

import json
import os.path
import sys

HERE = os.path.dirname(__file__)
CHANGES = {
    *("create", "delete", "link", "enable", "update", "rm"),
    *("add-iam-policy-binding", "remove-iam-policy-binding", "apply", "wait", "annotate"),
}
# get-credentials is of kubectl's own file, and is given each time.
VERBS = CHANGES | {"list", "ls", "describe", "get-iam-policy", "get", "get-contexts", "get-credentials"}


def text(name):
    file = os.path.join(HERE, name)
    if not os.path.isfile(file):
        return ""
    with open(file) as stream:
        return stream.read()


def lines(name):
    return [json.loads(line) for line in text(name).splitlines()]


def changes(words):
    """Whether a command changes anything."""
    return any(word in CHANGES for word in words[1:5])


def main():
    words = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
    with open(os.path.join(HERE, "log"), "a") as log:
        log.write(json.dumps(words) + "\n")
    if lines("fails") == [words]:
        sys.exit("ERROR: it was told to fail here")
    made = lines("made")
    flags = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    plain = [word for word in words[1:] if not word.startswith("--")]
    answer = kubectl(plain, flags, made) if words[0] == "kubectl" else gcloud(plain, flags, made)
    with open(os.path.join(HERE, "made"), "w") as file:
        file.writelines(json.dumps(thing) + "\n" for thing in made)
    print(answer, end="\n" if answer else "")


def gcloud(plain, flags, made):
    at = next((n for n, word in enumerate(plain) if word in VERBS), None)
    if at is None:
        sys.exit(f"the stand-in does not know {plain}")
    kind, verb, names = " ".join(plain[:at]), plain[at], plain[at + 1 :]
    if kind == "storage":  # rm --recursive, and ls
        kind = "storage buckets"
    if kind == "iam service-accounts":
        names = [name.partition("@")[0] for name in names]
    if verb in ("create", "link", "enable"):
        of = {"link": "billing", "enable": "services"}.get(verb, kind)
        made += [[of, name, flags] for name in names]
        if kind == "container clusters":
            where = {"location": flags["location"], "cluster": names[0]}
            made.append(["compute disks", "pvc-of-" + names[0], where])  # as Kubeflow's claims make
    elif verb in ("delete", "rm"):
        gone = [*names, *(f"serviceAccount:{name}@{flags.get('project')}.iam.gserviceaccount.com" for name in names)]
        held = [thing for thing in made if thing[0] == "binding" and (thing[1] in names or thing[2][1] in gone)]
        made[:] = [thing for thing in made if thing not in held and not (thing[0] == kind and thing[1] in names)]
    elif verb == "update":
        (thing,) = (thing for thing in made if thing[:2] == [kind, names[0]])
        thing[2].update(flags)
    elif verb == "add-iam-policy-binding":
        made.append(["binding", names[0], [flags["role"], flags["member"]]])
    elif verb == "remove-iam-policy-binding":
        made.remove(["binding", names[0], [flags["role"], flags["member"]]])
    elif verb == "get-credentials":
        context = ["context", f"gke_{flags['project']}_{flags['location']}_{names[0]}", {}]
        made += [context] if context not in made else []
    elif verb == "ls":
        return "\n".join(thing[1] for thing in made if thing[0] == "objects")
    elif verb == "get-iam-policy":
        return "\n".join(",".join(thing[2]) for thing in made if thing[:2] == ["binding", names[0]])
    else:
        return told(kind, names, flags, made)
    return ""


def told(kind, names, flags, made):
    """The answer to a question: of each thing the fields that --format asks for."""
    if kind == "compute accelerator-types":
        return "nvidia-l4,us-central1-a\nnvidia-b200,us-central1-b"
    if kind == "compute project-info":
        return text("quota") or "CPUS,24.0\nGPUS_ALL_REGIONS,4.0"
    if kind == "billing projects":
        return str(any(thing[:2] == ["billing", names[0]] for thing in made))
    fields = flags["format"].partition("(")[2].removesuffix(")").split(",")
    found = [thing for thing in made if thing[0] == kind and names in ([], [thing[1]])]
    return "\n".join(",".join(field(name, thing[1], thing[2], flags) for name in fields) for thing in found)


def field(name, thing, made_with, asked_with):
    return {
        "config.name": thing,
        "email": f"{thing}@{asked_with.get('project')}.iam.gserviceaccount.com",
        "location": made_with.get("location"),
        "zone.basename()": made_with.get("location"),
        "labels.made-by": (made_with.get("labels") or made_with.get("update-labels", "")).removeprefix("made-by="),
        "labels.goog-k8s-cluster-name": made_with.get("cluster"),
        "autoscaling.maxNodeCount": made_with.get("max-nodes"),
        "lifecycle_config.rule": made_with.get("lifecycle-file", ""),
    }.get(name, thing.removeprefix("gs://"))


def kubectl(plain, flags, made):
    if plain[:2] == ["config", "get-contexts"]:
        return "\n".join(thing[1] for thing in made if thing[0] == "context")
    namespace: list = next((thing for thing in made if thing[:2] == ["namespace", "kubeflow"]), [])
    defined = [thing for thing in made if thing[0] == "crd"]
    if plain[0] == "apply" and not namespace:
        made += [["namespace", "kubeflow", {}], ["crd", "workflows.argoproj.io", {}]]
    elif plain[0] == "annotate":
        namespace[2].update([plain[-1].split("=", 1)])
    elif plain[:2] == ["delete", "namespace"]:
        made[:] = [thing for thing in made if thing != namespace]
    elif plain[0] == "delete":  # what is of the whole cluster
        made[:] = [thing for thing in made if thing not in defined]
    elif plain[:2] == ["get", "crd"]:
        return "\n".join(thing[1] for thing in defined)
    elif plain[0] == "get" and namespace:
        return "namespace/kubeflow" if flags["output"] == "name" else namespace[2].get("dreamblock-installed", "")
    return ""


if __name__ == "__main__":
    main()
