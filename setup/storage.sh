#!/usr/bin/env bash
# The bucket, and the service accounts of those that use it; nobody has a key file.
source "$(dirname "$0")/common.sh"

help="bash setup/storage.sh up|down [--dry-run] [--yes]

up    Make the bucket GKE_BUCKET in the region of GKE_ZONE; trainings' checkpoints are removed from it after 30 days.
      Make the service accounts of the steps, which may read and write objects of this bucket, and of Kubeflow's user
      interface, which may read them, and let the cluster's pods be them. Run it after setup/cluster.sh up.
down  Delete the service accounts, and the bucket with every run in it.

  --dry-run  print every command, run none
  --yes      do not ask"

parse "$@"
settings

bucket_there() { lists "$bucket" gcloud storage buckets list --project="$project" --format='value(name)'; }

# A service account for the pods of one of Kubeflow's: identity NAME WHAT-FOR KUBERNETES-ACCOUNT ROLE
identity() {
  account "$1" "$2"
  grant "$4" "serviceAccount:$(email "$1")" "storage buckets" "gs://$bucket"
  grant roles/iam.workloadIdentityUser "serviceAccount:$project.svc.id.goog[kubeflow/$3]" \
    "iam service-accounts" "$(email "$1")" --project="$project"
}

up() {
  if bucket_there; then
    say "bucket gs://$bucket: there"
  else
    say "Each 100 GiB in the bucket cost $(cost 100 gcs-gib)."
    confirm "Make the bucket gs://$bucket in $region?"
    run gcloud storage buckets create "gs://$bucket" --project="$project" --location="$region" \
      --uniform-bucket-level-access --public-access-prevention
  fi
  if has gcloud storage buckets describe "gs://$bucket" --format='value(lifecycle_config.rule)'; then
    say "removal of old checkpoints: there"
  else
    run gcloud storage buckets update "gs://$bucket" --lifecycle-file="$setup/lifecycle.json"
  fi
  identity dreamblock-runs "Steps of dreamblock's pipeline" pipeline-runner roles/storage.objectUser
  identity dreamblock-ui "Kubeflow's user interface" ml-pipeline-ui roles/storage.objectViewer
}

down() {
  if bucket_there; then
    confirm "Delete the bucket gs://$bucket with every run in it, for good?"
    # Else what is deleted is kept, and paid for, for 7 more days.
    run gcloud storage buckets update "gs://$bucket" --clear-soft-delete
    run gcloud storage rm --recursive "gs://$bucket"
  else
    say "bucket gs://$bucket: not there"
  fi
  remove_account dreamblock-runs
  remove_account dreamblock-ui
}

"$verb"
