#!/usr/bin/env bash
# Builds the images of the steps and pushes them into the registry; the digests go into images/lock.json.
# shellcheck source=setup/common.sh
source "$(dirname "$0")/../setup/common.sh"
name=images/build.sh

help="bash images/build.sh [--cloud | --no-push] [--dirty] [--base IMAGE] [--dry-run] [-- OPTION ...]

Build the CPU and the GPU image of this commit with Docker, and push them into the registry that setup/registry.sh has
made. Their digests are written into images/lock.json, from which python -m pipelines.compile takes the images.

  --cloud       build with Google's Cloud Build, which is paid by the minute; needs no Docker
  --no-push     build only, as dreamblock/cpu and dreamblock/gpu, to look at them; images/lock.json stays as it is
  --dirty       build what is here, with changes that are in no commit
  --base IMAGE  instead of the base in images/Dockerfile; built on also where no registry says its digest
  --dry-run     print every command, run none
  -- OPTION     more options for docker build

Pushing with Docker needs, once: gcloud auth configure-docker REGION-docker.pkg.dev"

cloud=no push=yes dirty=no base="" more=()
while (($#)); do
  case $1 in
    --cloud) cloud=yes ;;
    --no-push) push=no ;;
    --dirty) dirty=yes ;;
    --dry-run) dry_run=yes ;;
    --base)
      (($# > 1)) || refuse "--base needs a value"
      base=$2
      shift
      ;;
    --base=*) base=${1#*=} ;;
    -h | --help)
      printf '%s\n' "$help"
      exit 0
      ;;
    --)
      shift
      more=("$@")
      break
      ;;
    *) refuse "there is no option $1; bash $name --help lists them" ;;
  esac
  shift
done
[[ $cloud$push != yesno ]] || refuse "--cloud builds in order to push: it does not go with --no-push"
[[ $cloud == no || ${#more[@]} == 0 ]] || refuse "options for docker build do not go with --cloud"

cd "$root"
commit=$(git rev-parse HEAD) || stop "the images are named by commit, and $root is no checkout of one"
if [[ -n $(git status --porcelain) ]]; then
  [[ $dirty == yes ]] || refuse "there are changes that are in no commit, git status lists them: commit them, or --dirty"
  commit=$commit-dirty
fi
base_given=${base:+yes}
base=${base:-$(sed -n 's/^ARG BASE_IMAGE=//p' images/Dockerfile)}
[[ $base == *@sha256:* || ${base##*/} == *:* ]] || refuse "--base must have a tag or a digest, got $base"
if [[ $push == yes ]]; then
  settings
  registry=$region-docker.pkg.dev/$project/dreamblock
else
  registry=dreamblock
fi

# The digest of IMAGE:TAG as its registry says it, by the protocol of all registries; nothing if none answers.
digest_of() {
  local host path=${1%:*} tag=${1##*:} scheme=https url types asked token=""
  case $path in
    localhost:*/* | *.*/*) host=${path%%/*} path=${path#*/} ;;
    */*) host="registry-1.docker.io" ;;
    *) host="registry-1.docker.io" path=library/$path ;;
  esac
  if [[ $host == localhost:* ]]; then scheme=http; fi
  url=$scheme://$host/v2/$path/manifests/$tag
  types=application/vnd.oci.image.index.v1+json,application/vnd.docker.distribution.manifest.list.v2+json
  types=$types,application/vnd.oci.image.manifest.v1+json,application/vnd.docker.distribution.manifest.v2+json
  asked=$(curl --silent --head --max-time 20 "$url" | tr -d '\r' | grep -i '^www-authenticate: *bearer ') || true
  if [[ $asked =~ realm=\"([^\"]+)\" ]]; then # who wants a token says where there is one, and for nobody in particular
    local realm=${BASH_REMATCH[1]} service=""
    if [[ $asked =~ service=\"([^\"]+)\" ]]; then service=${BASH_REMATCH[1]}; fi
    token=$(curl --silent --fail --max-time 20 --get --data-urlencode "service=$service" \
      --data-urlencode "scope=repository:$path:pull" "$realm" |
      sed -n 's/.*"\(access_\)\{0,1\}token" *: *"\([^"]*\)".*/\2/p') || true
  fi
  curl --silent --fail --head --max-time 20 --header "Accept: $types" ${token:+--header "Authorization: Bearer $token"} \
    "$url" | tr -d '\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: *\(sha256:[0-9a-f]\{64\}\)$/\1/p' || true
}

base_known=null
if [[ $base == *@sha256:* ]]; then
  base_known="\"$base\""
elif [[ $dry_run == yes ]]; then
  say "asks the registry of $base for its digest, and builds on that"
else
  installed curl
  digest=$(digest_of "$base")
  if [[ -n $digest ]]; then
    base=$base@$digest base_known="\"$base\""
    say "base: $base"
  elif [[ $base_given == yes ]]; then
    say "base: $base, whose digest is not known, for no registry answers"
  else
    stop "no registry says which digest the base $base has, which may be another tomorrow: try again, or --base $base"
  fi
fi

pushed() { # the image of a target, by the digest that the registry has for it
  local digest
  if [[ $cloud == yes ]]; then
    digest=$(ask gcloud artifacts docker images describe "$registry/$1:$commit" --project="$project" \
      --format='value(image_summary.digest)') || exit 1
  else
    digest=$(ask docker image inspect "$registry/$1:$commit" --format='{{join .RepoDigests "\n"}}') || exit 1
    digest=$(sed -n "s,^$registry/$1@,,p" <<<"$digest")
  fi
  [[ $dry_run == yes || $digest =~ ^sha256:[0-9a-f]{64}$ ]] || stop "nobody says which digest $registry/$1:$commit has"
  printf %s "$registry/$1@$digest"
}

if [[ $cloud == yes ]]; then
  say "Cloud Build costs $(cost 1 cloud-build) while it builds, the first 2500 minutes of a month nothing."
  run gcloud builds submit . --project="$project" --config=images/cloudbuild.yaml \
    --substitutions="_REGISTRY=$registry,_COMMIT=$commit,_BASE_IMAGE=$base" \
    --service-account="projects/$project/serviceAccounts/$(email dreamblock-build)" \
    --gcs-source-staging-dir="gs://$bucket/builds" --suppress-logs
else
  export DOCKER_BUILDKIT=1
  for target in cpu gpu; do
    run docker build --platform=linux/amd64 --file=images/Dockerfile --target="$target" \
      --build-arg="BASE_IMAGE=$base" --build-arg="COMMIT=$commit" --tag="$registry/$target:$commit" \
      ${more[@]+"${more[@]}"} .
    if [[ $push == yes ]]; then run docker push "$registry/$target:$commit"; fi
  done
fi
if [[ $push == no ]]; then
  say "built dreamblock/cpu:$commit and dreamblock/gpu:$commit"
  exit 0
fi
cpu=$(pushed cpu)
gpu=$(pushed gpu)
if [[ $dry_run == yes ]]; then
  say "writes images/lock.json"
  exit 0
fi
cat >images/lock.json.new <<LOCK
{
  "commit": "$commit",
  "base": $base_known,
  "cpu": "$cpu",
  "gpu": "$gpu"
}
LOCK
mv images/lock.json.new images/lock.json
say "wrote images/lock.json: python -m pipelines.compile takes the images from there"
