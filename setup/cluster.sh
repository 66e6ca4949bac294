#!/usr/bin/env bash
# The cluster, with Workload Identity and its CPU pool.
source "$(dirname "$0")/common.sh"

help="bash setup/cluster.sh up|down [--max-nodes N] [--dry-run] [--yes]

up    Make the GKE cluster GKE_CLUSTER in GKE_ZONE and the service account of its nodes, and point kubectl at it. Its
      CPU pool keeps one node for Kubeflow and grows while steps run that need no GPU. Takes about 5 minutes.
down  Delete the cluster, with the disks that it leaves behind and, unless the project has other clusters, whose nodes
      may have it, the service account. The bucket stays.

  --max-nodes N  nodes of the CPU pool at most (4), when it is made
  --dry-run      print every command, run none
  --yes          do not ask"

valued="max-nodes"
max_nodes=4
parse "$@"
settings
[[ $max_nodes =~ ^[1-9][0-9]{0,2}$ ]] || refuse "--max-nodes must be 1 to 999, got $max_nodes"

machine=e2-standard-4 disk=50
nodes=dreamblock-nodes
node_role=roles/container.defaultNodeServiceAccount

up() {
  local missing=yes
  if cluster_there; then
    missing=no
  else
    say "The cluster costs $(cost 1 gke-cluster 1 "$machine" "$disk" pd-balanced-gib) all day long,"
    say "each further node, of $max_nodes at most, $(cost 1 "$machine" "$disk" pd-balanced-gib)."
    confirm "Make the cluster $cluster in $zone?"
  fi
  account "$nodes" "Nodes of dreamblock clusters"
  grant "$node_role" "serviceAccount:$(email "$nodes")" projects "$project"
  if [[ $missing == no ]]; then
    say "cluster $cluster: there"
  else
    run gcloud container clusters create "$cluster" --project="$project" --location="$zone" \
      --release-channel=regular --workload-pool="$project.svc.id.goog" --workload-metadata=GKE_METADATA \
      --service-account="$(email "$nodes")" --scopes=cloud-platform --machine-type="$machine" \
      --disk-type=pd-balanced --disk-size="${disk}GB" \
      --num-nodes=1 --enable-autoscaling --min-nodes=1 --max-nodes="$max_nodes"
  fi
  # Each time: kubectl may know another cluster of this name, that is gone, or be pointed at another one.
  run gcloud container clusters get-credentials "$cluster" --project="$project" --location="$zone"
}

down() {
  local all disks others gone=no
  if cluster_there; then
    confirm "Delete the cluster $cluster in $zone, with Kubeflow and all its runs' records?"
    run gcloud container clusters delete "$cluster" --project="$project" --location="$zone" --quiet
  else
    gone=yes
    say "cluster $cluster: not there"
  fi
  # The disks of claims outlive their cluster, and cost on.
  all=$(ask gcloud compute disks list --project="$project" \
    --format='csv[no-heading](name,zone.basename(),labels.goog-k8s-cluster-name)') || exit 1
  disks=$(awk -F, -v zone="$zone" -v cluster="$cluster" '$2 == zone && $3 == cluster { print $1 }' <<<"$all")
  if [[ $dry_run == yes ]]; then disks=DISK; fi
  if [[ -z $disks ]]; then
    say "disks of the cluster: none"
  else
    if [[ $gone == yes ]]; then confirm "Delete what the cluster $cluster left behind, ${disks//$'\n'/, }?"; fi
    # shellcheck disable=SC2086 # words
    run gcloud compute disks delete $disks --project="$project" --zone="$zone" --quiet
  fi
  all=$(ask gcloud container clusters list --project="$project" --format='csv[no-heading](name,location)') || exit 1
  others=$(grep -vxF -e "$cluster,$zone" <<<"$all") || true
  if [[ -n $others && $dry_run == no ]]; then
    say "service account $nodes: stays, for nodes of ${others//$'\n'/ and } may have it"
    return
  fi
  if lists "$node_role,serviceAccount:$(email "$nodes")" gcloud projects get-iam-policy "$project" \
    --flatten='bindings[].members' --format='csv[no-heading](bindings.role,bindings.members)'; then
    run gcloud projects remove-iam-policy-binding "$project" --member="serviceAccount:$(email "$nodes")" \
      --role="$node_role" --condition=None --format=none
  fi
  remove_account "$nodes"
}

"$verb"
