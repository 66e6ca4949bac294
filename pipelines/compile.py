"""Write the pipeline for Kubeflow: python -m pipelines.compile -o pipeline.yaml (see --help)."""

import argparse
import sys
import tempfile
from pathlib import Path

import yaml
from google.protobuf.json_format import ParseDict, ParseError
from kfp.compiler import Compiler
from kfp.pipeline_spec import pipeline_spec_pb2

from components.component import NO_IMAGE
from pipelines.build import BuildConfig, build_pipeline


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.compile", description=__doc__.partition(":")[0] + ".")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the file to write, .yaml")
    parser.add_argument("--image-cpu", metavar="IMAGE", default=NO_IMAGE, help="for the steps that need no GPU")
    parser.add_argument("--image-gpu", metavar="IMAGE", default=NO_IMAGE, help="for the trainings")
    options = parser.parse_args(arguments)
    if (options.image_cpu == NO_IMAGE) != (options.image_gpu == NO_IMAGE):
        parser.error("--image-cpu and --image-gpu go together")
    try:
        write_pipeline(options.output, BuildConfig(options.image_cpu, options.image_gpu))
    except ValueError as error:
        parser.error(str(error))
    print(f"wrote {options.output}")
    if options.image_cpu == NO_IMAGE:
        print("No images were named: the file is for local use, python local_runner.py --pipeline", options.output)
    return 0


def write_pipeline(path: Path, config: BuildConfig) -> None:
    """Compile the pipeline into a YAML file, which appears when it is whole and valid.

    Raises:
        ValueError: the path is not a YAML file's, or cannot be written.
    """
    if path.suffix not in (".yaml", ".yml"):
        raise ValueError(f"a pipeline's file ends in .yaml, got {path}")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            compiled = Path(folder) / "pipeline.yaml"
            Compiler().compile(build_pipeline(config), str(compiled))
            validate(compiled)
            compiled.replace(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error


def validate(path: Path) -> None:
    """Raise ValueError for a field that KFP's messages do not have; its backend would pass over it in silence."""
    (spec,) = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    try:
        ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        for executor in spec["deploymentSpec"]["executors"].values():
            ParseDict(executor, pipeline_spec_pb2.PipelineDeploymentConfig.ExecutorSpec())
    except ParseError as error:
        raise ValueError(f"the compiled pipeline is not valid: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
