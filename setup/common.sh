#!/usr/bin/env bash
# What the scripts of setup/ share: their command line, the settings, commands that are run or only printed, and what
# things cost. Sourced, never run. Written for bash 3.2, which is what macOS has.
set -euo pipefail
export CLOUDSDK_CORE_DISABLE_PROMPTS=1 # confirm asks, once
exec 3>&1 # what is said goes here, also from within $(...)

setup=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$setup")
name="setup/$(basename "$0")"
verb="" dry_run=no yes=no

say() { # in a dry run a comment, so that its output is a script
  if [[ $dry_run == yes ]]; then printf '# %s\n' "$*" >&3; else printf '%s\n' "$*" >&3; fi
}

refuse() { # a mistake of the user's
  printf '%s: %s\n' "$name" "$*" >&2
  exit 2
}

stop() { # what is not as it must be
  printf '%s: %s\n' "$name" "$*" >&2
  exit 1
}

# The command line: up or down, and options. Those in $valued and $flags, words of the script, become variables.
parse() {
  local option variable
  while (($#)); do
    case $1 in
      up | down)
        [[ -z $verb ]] || refuse "up and down are given both"
        verb=$1
        ;;
      --dry-run) dry_run=yes ;;
      --yes) yes=yes ;;
      -h | --help)
        # shellcheck disable=SC2154 # of the script
        printf '%s\n' "$help"
        exit 0
        ;;
      --*)
        option=${1%%=*} variable=${option#--} variable=${variable//-/_}
        if [[ " ${flags:-} " == *" ${option#--} "* && $1 != *=* ]]; then
          printf -v "$variable" yes
        elif [[ " ${valued:-} " == *" ${option#--} "* ]]; then
          [[ $1 == *=* ]] || { (($# > 1)) && set -- "$1=$2" "${@:3}"; } || refuse "$option needs a value"
          printf -v "$variable" %s "${1#*=}"
        else
          refuse "there is no option $1; bash $name --help lists them"
        fi
        ;;
      *) refuse "the first word must be up or down, got $1" ;;
    esac
    shift
  done
  [[ -n $verb ]] || refuse "say up or down; bash $name --help says more"
}

# What a setting is: of the environment, else of the file of its name in the root of the project, else the default.
setting() {
  local value=${!1:-}
  if [[ -z $value && -f $root/$1 ]]; then value=$(tr -d '[:space:]' <"$root/$1"); fi
  printf %s "${value:-${2:-}}"
}

# The settings of all scripts. The rules are Google Cloud's.
settings() {
  project=$(setting GKE_PROJECT)
  cluster=$(setting GKE_CLUSTER)
  zone=$(setting GKE_ZONE us-central1-a)
  bucket=$(setting GKE_BUCKET "$project-dreamblock")
  bucket=${bucket#gs://}
  local missing="is not set: export it, or write it into a file of that name in $root"
  [[ -n $project ]] || refuse "GKE_PROJECT, the id of your Google Cloud project, $missing"
  [[ -n $cluster ]] || refuse "GKE_CLUSTER, the name of the cluster, $missing"
  [[ $project =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] ||
    refuse "GKE_PROJECT must be 6 to 30 of a-z, 0-9 and -, begin with a letter and not end in -, got '$project'"
  [[ $cluster =~ ^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$ ]] ||
    refuse "GKE_CLUSTER must be 1 to 40 of a-z, 0-9 and -, begin with a letter and not end in -, got '$cluster'"
  [[ $zone =~ ^[a-z]+-[a-z]+[0-9]+-[a-z]$ ]] || refuse "GKE_ZONE must be a zone like us-central1-a, got '$zone'"
  [[ $bucket =~ ^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$ && $bucket != goog* && $bucket != *google* ]] ||
    refuse "GKE_BUCKET must be 3 to 63 of a-z, 0-9, - and _, begin and end with a letter or a digit, and neither" \
      "begin with goog nor contain google, got '$bucket'"
  region=${zone%-*}
  # shellcheck disable=SC2034 # of the scripts
  context="gke_${project}_${zone}_$cluster"
}

email() { printf %s "$1@$project.iam.gserviceaccount.com"; } # of a service account of the project

installed() {
  local from=""
  case $1 in
    gcloud | kubectl)
      from="; gcloud: https://cloud.google.com/sdk/docs/install, then"
      from+=" gcloud components install kubectl gke-gcloud-auth-plugin"
      ;;
  esac
  command -v "$1" >/dev/null || stop "$1 is not installed$from"
}

# Run a command that changes something; in a dry run print it.
run() {
  local words
  words=$(printf '%q ' "$@")
  if [[ $dry_run == yes ]]; then
    printf '%s\n' "${words% }" >&3
  else
    installed "$1"
    printf '+ %s\n' "${words% }" >&3
    "$@" >&3 || stop "that failed; mend it and run the same again: what is done is not done twice"
  fi
}

# The answer to a question that changes nothing; in a dry run it is printed, and has none.
ask() {
  local words
  words=$(printf '%q ' "$@")
  if [[ $dry_run == yes ]]; then
    printf '%s\n' "${words% }" >&3
  else
    installed "$1"
    "$@" || stop "no answer to: ${words% }"
  fi
}

# Whether a question has an answer. A dry run takes everything for absent on the way up, for present on the way down.
has() {
  local answer
  answer=$(ask "$@") || exit 1
  [[ -n $answer || ($dry_run == yes && $verb == down) ]]
}

# Whether a line of the answer to a question is this one; in a dry run as above. This and not gcloud's --filter, of
# which name=dream will soon match dream-2 as well.
lists() {
  local line=$1 answer
  shift
  answer=$(ask "$@") || exit 1
  grep -qxF -e "$line" <<<"$answer" || [[ $dry_run == yes && $verb == down ]]
}

confirm() {
  local answer=""
  if [[ $yes == yes || $dry_run == yes ]]; then return; fi
  printf '%s [y/N] ' "$1" >&3
  read -r answer || true
  [[ $answer == [yY]* ]] || stop "not confirmed, nothing was changed (--yes confirms)"
}

# What things cost an hour where the zone is: cost COUNT ITEM [COUNT ITEM ...]
cost() {
  awk -F '\t' -v region="$region" -v wanted="$*" '
    /^#/ { next }
    $2 == region || $2 == "any" { price[$1] = $3; read[$1] = $5 }
    END {
      n = split(wanted, word, " ")
      for (i = 1; i < n; i += 2) {
        item = word[i + 1]
        known = item in price
        sum += known ? word[i] * price[item] : 0
        each = known ? sprintf("%.3f", word[i] * price[item]) : "unknown"
        parts = parts (i > 1 ? ", " : "") word[i] " x " item " " each
        if (!known) unknown = unknown (unknown == "" ? "" : " and ") item
        else if (oldest == "" || read[item] < oldest) oldest = read[item]
      }
      if (unknown == "") printf "%.3f USD an hour", sum
      else printf "an unknown sum"
      printf " (%s", parts
      if (oldest != "") printf "; list prices read on %s or later", oldest
      if (unknown != "") printf "; setup/prices.tsv says nothing of %s in %s", unknown, region
      print ")"
    }' "$setup/prices.tsv"
}

cluster_there() {
  lists "$cluster,$zone" gcloud container clusters list --project="$project" --format='csv[no-heading](name,location)'
}

# Make a service account if it is not there: account NAME WHAT-FOR
account() {
  if lists "$(email "$1")" gcloud iam service-accounts list --project="$project" --format='value(email)'; then
    say "service account $1: there"
  else
    run gcloud iam service-accounts create "$1" --project="$project" --display-name="$2"
  fi
}

remove_account() {
  if lists "$(email "$1")" gcloud iam service-accounts list --project="$project" --format='value(email)'; then
    run gcloud iam service-accounts delete "$(email "$1")" --project="$project" --quiet
  else
    say "service account $1: not there"
  fi
}

# Give a role on a resource: grant ROLE MEMBER KIND RESOURCE [FLAG ...], KIND as in gcloud KIND add-iam-policy-binding.
grant() {
  local role=$1 member=$2 kind resource=$4
  read -r -a kind <<<"$3"
  shift 4
  if lists "$role,$member" gcloud "${kind[@]}" get-iam-policy "$resource" "$@" \
    --flatten='bindings[].members' --format='csv[no-heading](bindings.role,bindings.members)'; then
    say "$role for $member: there"
    return
  fi
  # A service account that was made a moment ago is not known everywhere yet.
  local command=(gcloud "${kind[@]}" add-iam-policy-binding "$resource" "$@") pause
  command+=(--member="$member" --role="$role" --condition=None --format=none)
  for pause in 5 10; do
    if (run "${command[@]}" 2>/dev/null); then return; fi
    sleep "$pause"
  done
  run "${command[@]}"
}
