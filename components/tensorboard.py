"""The curves and films of a training as TensorBoard reads them: tensorboard --logdir runs

They lie in the run's folder, in `tensorboard/<task>`. A run in a bucket has none, for TensorBoard cannot read there
without TensorFlow; `metrics.jsonl` beside its checkpoints has the same figures.
"""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import google_crc32c
import imageio.v3 as imageio
import numpy as np

from models.phase import Film, Phase
from models.training import OnStep

HEADER, FOOTER = 12, 4  # bytes about the content of a record: its length and a checksum of that; a checksum of it


def curves(output: str, metrics: Path) -> OnStep:
    """Writes what it is told, for `models.training.train`'s `on_step`.

    To the rows that comes how many samples are learned from in a second: a fact of the clock and of nothing that the
    training depends on, which is why it is not in `metrics.jsonl`, whose bytes are the same each time.

    Args:
        output: the URI of one of the task's outputs, `<root>/<pipeline>/<run id>/<task>/<execution>/<output>`.
        metrics: the file of all rows until now, that of a training that has been gone on with too.
    """
    if "://" in output:
        return lambda phase, step, row, film: None
    run, task, _, _ = output.rsplit("/", 3)
    path: Path | None = None
    last, samples, then = "", 0.0, 0.0  # the phase, the samples and the time of the row before

    def on_step(phase: Phase, step: int, row: dict[str, float], film: Film | None) -> None:
        nonlocal path, last, samples, then
        if path is None:
            *rows, _ = map(json.loads, metrics.read_text().splitlines())
            path = go_on(Path(run, "tensorboard", task), rows)
        now = time.monotonic()
        speed = {"samples_per_second": (row["samples"] - samples) / (now - then)} if last == phase.name else {}
        last, samples, then = phase.name, row["samples"], now
        with path.open("ab") as file:
            file.write(record(event(phase.name, step, row | speed, film)))

    return on_step


def go_on(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Begin a new file with the events of `rows`, and empty the older ones: no event is lost, and none is there twice.

    An event that the older files have comes from there, with its time, its speed and its film, any other from its row.
    """
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog

    folder.mkdir(parents=True, exist_ok=True)
    older = list(folder.glob("events.out.tfevents.*"))
    known: dict[tuple[str, int], Event] = {}
    for path in older:
        for old in map(Event.FromString, contents(path.read_bytes())):
            if old.summary.value:
                known[old.summary.value[0].tag.partition("/")[0], old.step] = old
    # A TensorBoard that is running forgets at a start what it has read before.
    events = [Event(file_version="brain.Event:2"), Event(session_log=SessionLog(status=SessionLog.START))]
    for row in rows:
        figures = {name: value for name, value in row.items() if name not in ("phase", "step")}
        events.append(known.get((row["phase"], row["step"])) or event(row["phase"], row["step"], figures))
    new = folder / f"events.out.tfevents.{time.time_ns()}"
    new.write_bytes(b"".join(map(record, events)))
    for path in older:
        if path.stat().st_size:
            path.write_bytes(b"")  # a TensorBoard that is at it goes on to the new one, but not from one that is gone
        else:
            path.unlink()
    return new


def event(phase: str, step: int, figures: Mapping[str, float], film: Film | None = None) -> Any:
    """An event of TensorBoard with everything that is known of a step."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=f"{phase}/{name}", simple_value=value) for name, value in figures.items()]
    if film is not None:
        height, width, colours = film.shape
        picture = imageio.imwrite("<bytes>", np.rint(255 * film).astype(np.uint8), extension=".png")
        image = Summary.Image(height=height, width=width, colorspace=colours, encoded_image_string=picture)
        values.append(Summary.Value(tag=f"{phase}/film", image=image))
    return Event(wall_time=time.time(), step=step, summary=Summary(value=values))


def record(event: Any) -> bytes:
    """An event as a file has it, a TFRecord of TensorFlow's. TensorBoard's own writer takes 0.3 s to import."""
    content = event.SerializeToString()
    length = len(content).to_bytes(8, "little")
    return length + _checksum(length) + content + _checksum(content)


def contents(file: bytes) -> Iterator[bytes]:
    """The contents of the records of a file, up to one that is not whole."""
    while len(file) >= HEADER:
        end = HEADER + int.from_bytes(file[:8], "little")
        content, checksum, file = file[HEADER:end], file[end : end + FOOTER], file[end + FOOTER :]
        if checksum != _checksum(content):
            return
        yield content


def _checksum(content: bytes) -> bytes:
    crc = google_crc32c.value(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")
