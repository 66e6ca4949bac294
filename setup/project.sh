#!/usr/bin/env bash
# The project and the APIs that the other scripts call.
source "$(dirname "$0")/common.sh"

help="bash setup/project.sh up|down [--billing-account ID] [--dry-run] [--yes]

up    Make the Google Cloud project GKE_PROJECT if there is none, link it to a billing account, enable the APIs.
down  Delete the project with all that is in it, if up made it. Google Cloud keeps it for 30 days.

  --billing-account ID  who pays; gcloud billing accounts list shows yours. Not needed if the project has one.
  --dry-run             print every command, run none
  --yes                 do not ask

GKE_PROJECT and GKE_CLUSTER, and GKE_ZONE (us-central1-a) and GKE_BUCKET (GKE_PROJECT-dreamblock), are read from the
environment, or from files of these names in the root of the project.

  GKE_PROJECT=my-dreams GKE_CLUSTER=dreamblock bash setup/project.sh up --dry-run"

apis="artifactregistry cloudbuild cloudresourcemanager compute container iam iamcredentials storage"

valued="billing-account"
billing_account=""
parse "$@"
settings

project_there() { lists "$project" gcloud projects list --format='value(projectId)'; }

up() {
  local billed=no enabled missing="" api
  if project_there; then
    say "project $project: there"
    if lists True gcloud billing projects describe "$project" --format='value(billingEnabled)'; then billed=yes; fi
  else
    run gcloud projects create "$project" --labels=made-by=dreamblock
  fi
  if [[ $billed == yes ]]; then
    say "billing: there"
  else
    [[ -n $billing_account || $dry_run == yes ]] ||
      stop "project $project has no billing account: give --billing-account, one of: gcloud billing accounts list"
    run gcloud billing projects link "$project" --billing-account="${billing_account:-ID}"
  fi
  enabled=$(ask gcloud services list --enabled --project="$project" --format='value(config.name)') || exit 1
  for api in $apis; do
    grep -qxF "$api.googleapis.com" <<<"$enabled" || missing="$missing $api.googleapis.com"
  done
  if [[ -z $missing ]]; then
    say "APIs: enabled"
  else
    # shellcheck disable=SC2086 # words
    run gcloud services enable $missing --project="$project"
  fi
  say "The project by itself costs nothing."
}

down() {
  if lists "$project,dreamblock" gcloud projects list --format='csv[no-heading](projectId,labels.made-by)'; then
    confirm "Delete the project $project with everything in it?"
    run gcloud projects delete "$project" --quiet
  elif project_there; then
    say "project $project: left as it is, for setup/project.sh did not make it; gcloud projects delete $project"
  else
    say "project $project: not there"
  fi
}

"$verb"
