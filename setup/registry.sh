#!/usr/bin/env bash
# The registry of the images, who may build into it and who may read it.
source "$(dirname "$0")/common.sh"

help="bash setup/registry.sh up|down [--dry-run] [--yes]

up    Make the Artifact Registry repository dreamblock in the region of GKE_ZONE. The cluster's nodes may read it, and
      the service account dreamblock-build, as which Cloud Build runs, may write into it, write its log, and read the
      sources that are handed to it in the bucket. Run it after setup/cluster.sh up and setup/storage.sh up.
down  Delete the repository with all images, and the service account.

  --dry-run  print every command, run none
  --yes      do not ask"

parse "$@"
settings

repository=dreamblock builder=dreamblock-build

repository_there() {
  lists "$repository" gcloud artifacts repositories list --project="$project" --location="$region" \
    --format='value(name.basename())'
}

up() {
  local of=(artifacts repositories) where=(--project="$project" --location="$region")
  if repository_there; then
    say "repository $repository: there"
  else
    say "Each 10 GiB of images cost $(cost 10 artifact-registry-gib)."
    confirm "Make the repository $region-docker.pkg.dev/$project/$repository?"
    run gcloud artifacts repositories create "$repository" "${where[@]}" --repository-format=docker
  fi
  grant roles/artifactregistry.reader "serviceAccount:$(email dreamblock-nodes)" "${of[*]}" "$repository" "${where[@]}"
  account "$builder" "Builds of dreamblock's images"
  grant roles/artifactregistry.writer "serviceAccount:$(email "$builder")" "${of[*]}" "$repository" "${where[@]}"
  grant roles/logging.logWriter "serviceAccount:$(email "$builder")" projects "$project"
  grant roles/storage.objectViewer "serviceAccount:$(email "$builder")" "storage buckets" "gs://$bucket"
}

down() {
  if repository_there; then
    confirm "Delete the repository $repository with all its images?"
    run gcloud artifacts repositories delete "$repository" --project="$project" --location="$region" --quiet
  else
    say "repository $repository: not there"
  fi
  remove_account "$builder"
}

"$verb"
