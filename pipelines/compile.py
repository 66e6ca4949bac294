"""Write the pipeline for Kubeflow: python -m pipelines.compile -o pipeline.yaml (see --help)."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.images import Images, built, require_digest
from pipelines.light_kfp import import_kfp
from pipelines.root import bucket_root
from viewer.command_line import command_parser, stoppable
from viewer.commit import commit

# What imports kfp is imported where it is used, so that the command can choose how much of it comes along.
if TYPE_CHECKING:
    from pipelines.build import BuildConfig

EXAMPLES = """\
examples:
  python -m pipelines.compile -o pipeline.yaml --root gs://bucket/prefix --gpu-type nvidia-l4 --gpus 1 --spot
      for a cluster, with the images that images/build.sh has pushed last
  python -m pipelines.compile -o pipeline.yaml --image-cpu IMAGE@sha256:... --image-gpu IMAGE@sha256:...
      with other images
  python -m pipelines.compile -o pipeline.yaml
      while no images were pushed: for local use, python local_runner.py --pipeline pipeline.yaml

A run may ask for other GPUs than the file: python -m pipelines.submit run --set gpu_type=nvidia-tesla-t4 --set gpus=2
setup/gpus.tsv lists the types, and setup/gpus.sh makes the pools of nodes; without one that fits, a step waits."""


@stoppable
def main(arguments: list[str] | None = None) -> int:
    from pipelines.platform import Platform
    from pipelines.write import write_pipeline

    parser = command_parser("pipelines.compile", __doc__.partition(":")[0] + ".", EXAMPLES)
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the file to write, .yaml")
    cluster = parser.add_argument_group("for a cluster")
    cluster.add_argument(
        "--image-cpu", metavar="IMAGE", help="for the steps without a GPU; by default as in images/lock.json"
    )
    cluster.add_argument("--image-gpu", metavar="IMAGE", help="for the trainings; by default as in images/lock.json")
    cluster.add_argument("--allow-mutable-tag", action="store_true", help="take an image that is not named by digest")
    cluster.add_argument("--root", metavar="GS_URI", help="where runs lie; by default the cluster's own root")
    cluster.add_argument("--gpu-type", metavar="TYPE", help=f"for the trainings; by default {Platform.gpu_type}")
    cluster.add_argument(
        "--gpus", metavar="N", type=int, help=f"how many of them each training gets; by default {Platform.gpus}"
    )
    nodes = cluster.add_mutually_exclusive_group()
    nodes.add_argument("--spot", action="store_true", default=None, help="train on spot nodes")
    nodes.add_argument(
        "--on-demand", dest="spot", action="store_false", help="train on nodes that nobody takes back; the default"
    )
    cluster.add_argument(
        "--max-hours",
        metavar="N",
        type=float,
        help=f"after which a try of a step is ended; by default {Platform.max_hours}",
    )
    cluster.add_argument(
        "--no-cache",
        action="store_true",
        help="run all steps, and take none from an earlier run: what a cluster takes "
        "there may have been deleted from the bucket",
    )
    cluster.add_argument(
        "--k8s-manifest", action="store_true", help="write Kubernetes objects for kubectl apply, not for an upload"
    )
    options = parser.parse_args(arguments)
    try:
        images = _images(options)
        config = _config(options, images)
        write_pipeline(options.output, config, manifest=options.k8s_manifest)
    except ValueError as error:
        parser.error(str(error))
    print(f"wrote {options.output}")
    if images is None:
        print("No images were named, and none built with images/build.sh, so that no cluster can run it.")
        print("The file is for local use: python local_runner.py --pipeline", options.output)
    elif images.commit and images.commit != (here := commit(40)):
        said = f"the commit of the images is {images.commit}, that of this source {here}: bash images/build.sh"
        print(said, file=sys.stderr)
    return 0


def _images(options: argparse.Namespace) -> Images | None:
    """The images that are named, else those that were built; None if there are none."""
    named = options.image_cpu, options.image_gpu
    if named == (None, None):
        return built()
    if not all(named):
        raise ValueError("--image-cpu and --image-gpu go together")
    if not options.allow_mutable_tag:
        for image in named:
            require_digest(image)
    return Images(*named)


def _config(options: argparse.Namespace, images: Images | None) -> "BuildConfig":
    from components.component import NO_IMAGE
    from pipelines.build import BuildConfig
    from pipelines.platform import Platform

    asked = {name: getattr(options, name) for name in ("gpu_type", "gpus", "spot", "max_hours")}
    given = {name: value for name, value in asked.items() if value is not None}
    root = "" if options.root is None else bucket_root(options.root)
    platform = Platform(**given) if images or given else None
    named = (images.cpu, images.gpu) if images else (NO_IMAGE, NO_IMAGE)
    return BuildConfig(*named, root, platform, cache=not options.no_cache)


if __name__ == "__main__":
    import_kfp()
    sys.exit(main())
