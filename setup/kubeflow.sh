#!/usr/bin/env bash
# Kubeflow Pipelines in the cluster, with the bucket as its pipeline root.
source "$(dirname "$0")/common.sh"

help="bash setup/kubeflow.sh up|down [--dry-run] [--yes]

up    Install Kubeflow Pipelines, of one version, with kustomize: setup/kubeflow, rendered into build/kubeflow. Wait
      until it is ready, 5 to 10 minutes. Run it after setup/cluster.sh up and setup/storage.sh up. kubectl needs git.
down  Delete it with all records of runs. What the runs put into the bucket stays.

  --dry-run  print every command, run none
  --yes      do not ask"

parse "$@"
settings

version=2.17.0 # of kfp in pyproject.toml
manifests=https://github.com/kubeflow/pipelines/manifests/kustomize
patience=300s # for git, which kustomize gives 27 s
of_cluster="$manifests/cluster-scoped-resources?ref=$version&timeout=$patience"
overlay=$root/build/kubeflow
wanted="$version gs://$bucket $project"

to_cluster() { "$1" kubectl --context="$context" "${@:2}"; } # run or ask there

render() {
  say "writes $overlay, setup/kubeflow with VERSION=$version, PATIENCE=$patience, BUCKET=$bucket, PROJECT=$project"
  if [[ $dry_run == yes ]]; then return; fi
  mkdir -p "$overlay"
  local file words="s/VERSION/$version/g; s/PATIENCE/$patience/g; s/BUCKET/$bucket/g; s/PROJECT/$project/g"
  for file in "$setup"/kubeflow/*.yaml; do sed -e "$words" "$file" >"$overlay/$(basename "$file")"; done
}

up() {
  local there
  there=$(to_cluster ask get namespace kubeflow --ignore-not-found \
    --output=jsonpath='{.metadata.annotations.dreamblock-installed}') || exit 1
  if [[ $there == "$wanted" ]]; then
    say "Kubeflow Pipelines $version: there"
    return
  fi
  say "Kubeflow's two disks cost $(cost 40 pd-balanced-gib); its pods run on the cluster's first node."
  confirm "Install Kubeflow Pipelines $version into $cluster?"
  to_cluster run apply --server-side --force-conflicts --kustomize "$of_cluster"
  to_cluster run wait --for=condition=established --timeout=60s \
    crd/workflows.argoproj.io crd/scheduledworkflows.kubeflow.org
  render
  to_cluster run apply --server-side --force-conflicts --kustomize "$overlay"
  to_cluster run wait --namespace=kubeflow --for=condition=available --timeout=900s deployment --all
  # Last, so that an installation that broke off is done again.
  to_cluster run annotate namespace kubeflow --overwrite "dreamblock-installed=$wanted"
}

down() {
  # The second is of what goes last: without it a deletion that broke off between them would count as done.
  if to_cluster has get namespace kubeflow --ignore-not-found --output=name ||
    to_cluster has get crd workflows.argoproj.io --ignore-not-found --output=name; then
    confirm "Delete Kubeflow Pipelines from $cluster, with all records of runs?"
    to_cluster run delete namespace kubeflow --ignore-not-found --timeout=900s
    to_cluster run delete --ignore-not-found --kustomize "$of_cluster"
  else
    say "Kubeflow Pipelines: not there"
  fi
}

if [[ $dry_run == no ]]; then
  lists "$context" kubectl config get-contexts --output=name ||
    stop "kubectl does not know the cluster $cluster: bash setup/cluster.sh up"
fi
"$verb"
