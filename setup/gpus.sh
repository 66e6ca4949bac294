#!/usr/bin/env bash
# Pools of GPU nodes, which have no node while no step needs one.
source "$(dirname "$0")/common.sh"

help="bash setup/gpus.sh up|down [--type TYPE] [--count N] [--spot] [--max-nodes N] [--dry-run] [--yes]

up    Make a pool of nodes with these GPUs, or give it another --max-nodes. A node comes when a step asks for its GPUs,
      in about 5 minutes with its drivers, and goes about 10 minutes after the last step.
down  Delete the pool.

  --type TYPE    the GPU (nvidia-l4), one of:
$(awk '!/^#/ && !seen[$1]++ { printf "                 %s\n", $1 }' "$setup/gpus.tsv")
  --count N      GPUs of a node (1)
  --spot         nodes that cost less and that Google may take back at any time; a step goes on from its checkpoint
  --max-nodes N  nodes at most (1)
  --dry-run      print every command, run none
  --yes          do not ask

Compile the pipeline with the same type, count and --spot.

  bash setup/gpus.sh up --type nvidia-tesla-t4 --spot"

valued="type count max-nodes" flags="spot"
type=nvidia-l4 count=1 spot=no max_nodes=1
parse "$@"
settings
[[ $max_nodes =~ ^[1-9][0-9]{0,2}$ ]] || refuse "--max-nodes must be 1 to 999, got $max_nodes"

# The type that one may have meant: it shares the most words, and of several the fewest edits away.
nearest() {
  awk -v given="$(tr '[:upper:]_ ' '[:lower:]--' <<<"$1")" '
    function edits(a, b,   i, j, d) {
      for (i = 0; i <= length(a); i++) d[i, 0] = i
      for (j = 0; j <= length(b); j++) d[0, j] = j
      for (i = 1; i <= length(a); i++) for (j = 1; j <= length(b); j++) {
        d[i, j] = d[i - 1, j - 1] + (substr(a, i, 1) != substr(b, j, 1))
        if (d[i - 1, j] + 1 < d[i, j]) d[i, j] = d[i - 1, j] + 1
        if (d[i, j - 1] + 1 < d[i, j]) d[i, j] = d[i, j - 1] + 1
      }
      return d[length(a), length(b)]
    }
    !/^#/ {
      shared = 0
      n = split(given, word, "-")
      for (i = 1; i <= n; i++) shared += index("-" $1 "-", "-" word[i] "-") > 0
      far = edits(given, $1) - 100 * shared
      if (best == "" || far < least) { best = $1; least = far }
    }
    END { print best }' "$setup/gpus.tsv"
}

read -r machine only <<<"$(awk -v type="$type" -v count="$count" '$1 == type && $2 == count { print $3, $4 }' "$setup/gpus.tsv")"
if [[ -z $machine ]]; then
  counts=$(awk -v type="$type" '$1 == type { printf "%s%s", separator, $2; separator = ", " }' "$setup/gpus.tsv")
  [[ -n $counts ]] || refuse "--type must be a GPU that GKE offers and PyTorch runs on, got $type; the nearest is" \
    "$(nearest "$type")"
  [[ $counts != *,* ]] || counts="${counts%, *} or ${counts##*, }"
  refuse "--count must be $counts for $type, got $count"
fi
[[ $only != spot || $spot == yes ]] || refuse "Google gives nodes with $count $type on spot only: add --spot"
case $machine in
  a3-ultragpu-* | a4-* | g4-*) disk=hyperdisk-balanced ;; # which take no Persistent Disk
  *) disk=pd-balanced ;;
esac
pool=$type-$count price=""
if [[ $spot == yes ]]; then pool=$pool-spot price=-spot; fi

nodes_at_most() { # of the pool, nothing if it is not there
  ask gcloud container node-pools list --project="$project" --location="$zone" --cluster="$cluster" \
    --format='csv[no-heading](name,autoscaling.maxNodeCount)' | awk -F, -v pool="$pool" '$1 == pool { print $2 }'
}

up() {
  local there quota
  cluster_there || [[ $dry_run == yes ]] || stop "there is no cluster $cluster in $zone: bash setup/cluster.sh up"
  there=$(nodes_at_most) || exit 1
  if [[ $there == "$max_nodes" ]]; then
    say "pool $pool: there"
    return
  fi
  say "A node of $pool costs $(cost 1 "$machine$price" "$count" "$type$price" 100 "$disk-gib")"
  say "while it is up; there are $max_nodes at most, and none while no step needs one."
  if [[ -n $there ]]; then
    confirm "Give the pool $pool $max_nodes nodes at most, instead of $there?"
    run gcloud container node-pools update "$pool" --project="$project" --location="$zone" --cluster="$cluster" \
      --enable-autoscaling --min-nodes=0 --max-nodes="$max_nodes"
    return
  fi
  lists "$type,$zone" gcloud compute accelerator-types list --project="$project" \
    --format='csv[no-heading](name,zone.basename())' || [[ $dry_run == yes ]] ||
    stop "zone $zone has no $type: gcloud compute accelerator-types list --filter=name=$type lists those that have"
  quota=$(ask gcloud compute project-info describe --project="$project" --flatten='quotas[]' \
    --format='csv[no-heading](quotas.metric,quotas.limit)') || exit 1
  if grep -qE '^GPUS_ALL_REGIONS,0(\.0)?$' <<<"$quota"; then
    stop "project $project may have no GPU: ask for more of GPUS_ALL_REGIONS on" \
      "https://console.cloud.google.com/iam-admin/quotas?project=$project"
  fi
  confirm "Make the pool $pool?"
  # The drivers are the newest: torch's CUDA 13 needs version 580 or later.
  set -- --node-labels=made-by=dreamblock
  if [[ $spot == yes ]]; then
    set -- "$@" --spot --location-policy=ANY --node-taints=cloud.google.com/gke-spot=true:NoSchedule
  fi
  run gcloud container node-pools create "$pool" --project="$project" --location="$zone" --cluster="$cluster" \
    --machine-type="$machine" --accelerator="type=$type,count=$count,gpu-driver-version=latest" \
    --service-account="$(email dreamblock-nodes)" --scopes=cloud-platform --workload-metadata=GKE_METADATA \
    --disk-type="$disk" --disk-size=100GB \
    --num-nodes=0 --enable-autoscaling --min-nodes=0 --max-nodes="$max_nodes" "$@"
}

down() {
  local there=""
  if cluster_there; then there=$(nodes_at_most) || exit 1; fi
  if [[ -n $there || $dry_run == yes ]]; then
    confirm "Delete the pool $pool?"
    run gcloud container node-pools delete "$pool" --project="$project" --location="$zone" --cluster="$cluster" --quiet
  else
    say "pool $pool: not there"
  fi
}

"$verb"
