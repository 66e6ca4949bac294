#!/usr/bin/env bash
# The bucket, and the service accounts of those that use it; nobody has a key file.
source "$(dirname "$0")/common.sh"

help="bash setup/storage.sh up|down [--dry-run] [--yes]

up    Make the bucket GKE_BUCKET in the region of GKE_ZONE, or take one that is there; trainings' checkpoints are
      removed from it after 30 days, unless it has rules of its own.
      Make the service accounts of the steps, which may read and write objects of this bucket, and of Kubeflow's user
      interface, which may read them, and let the cluster's pods be them. Run it after setup/cluster.sh up.
down  Delete the service accounts and, if up made it or found it empty, the bucket with every run in it.

  --dry-run  print every command, run none
  --yes      do not ask"

parse "$@"
settings

bucket_there() { lists "$bucket" gcloud storage buckets list --project="$project" --format='value(name)'; }

bucket_ours() {
  lists "$bucket,dreamblock" gcloud storage buckets list --project="$project" \
    --format='csv[no-heading](name,labels.made-by)'
}

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
  # A bucket cannot be made with a label. So one that is empty is ours: up may have broken off here.
  if ! bucket_ours && ! has gcloud storage ls "gs://$bucket"; then
    run gcloud storage buckets update "gs://$bucket" --update-labels=made-by=dreamblock
  fi
  if has gcloud storage buckets describe "gs://$bucket" --format='value(lifecycle_config.rule)'; then
    say "rules of what is removed when: there"
  else
    run gcloud storage buckets update "gs://$bucket" --lifecycle-file="$setup/lifecycle.json"
  fi
  identity dreamblock-runs "Steps of dreamblock's pipeline" pipeline-runner roles/storage.objectUser
  identity dreamblock-ui "Kubeflow's user interface" ml-pipeline-ui roles/storage.objectViewer
}

down() {
  if bucket_ours; then
    confirm "Delete the bucket gs://$bucket with every run in it, for good?"
    # Else what is deleted is kept, and paid for, for 7 more days.
    run gcloud storage buckets update "gs://$bucket" --clear-soft-delete
    run gcloud storage rm --recursive "gs://$bucket"
  elif bucket_there; then
    say "bucket gs://$bucket: left as it is, for setup/storage.sh did not make it; what runs have left there:"
    say "  gcloud storage rm --recursive gs://$bucket/dreamblock gs://$bucket/champions"
  else
    say "bucket gs://$bucket: not there"
  fi
  remove_account dreamblock-runs
  remove_account dreamblock-ui
}

"$verb"
