"""What a run need not do again: steps that it has done before, and those that another run has done."""

from collections.abc import Callable
from dataclasses import dataclass

from components import storage
from pipelines.engine import outcomes
from pipelines.engine.contents import Contents
from pipelines.engine.housekeeping import runs_of
from pipelines.engine.outcomes import Identity, Outcome
from pipelines.engine.values import Values

CHECKPOINTS = "checkpoints"  # in a run's folder, one below it a task


@dataclass(frozen=True)
class Reuse:
    """The outcomes that one run may take.

    Attributes:
        pipeline: the URI of all runs of the pipeline.
        run_id: this run's.
        contents: of the artifacts.
        cache: whether it may take what other runs have put out.
        tell: is told of what is done again, and why.
    """

    pipeline: str
    run_id: str
    contents: Contents
    cache: bool
    tell: Callable[[str], None]

    def own(self, task: str, execution: str, identity: Identity, *, anew: bool) -> Outcome | None:
        """What the run itself has from before it was stopped, or from an earlier try of a DAG that the step is in.

        Where the step depends on something that has changed since, its checkpoint is removed. A step that is to run
        `anew` is not taken.
        """
        place = self.place(task, execution)
        earlier = outcomes.read(place)
        if earlier is None:
            return None
        if anew:
            if earlier.outputs and earlier.run == self.run_id:
                self.give_up(place, earlier)
            return None
        if changed := outcomes.differences(identity, earlier.identity):
            if earlier.outputs and earlier.run == self.run_id:
                self.give_up(place, earlier)
            self.tell(f"{task}/{execution}: starts over, since it began something has changed: {words(changed)}")
            storage.remove(storage.join(self.pipeline, self.run_id, CHECKPOINTS, task))
        elif earlier.outputs:
            if self.contents.are_still(earlier.contents):
                return earlier
            self.tell(f"{task}/{execution}: is done again, for what it had put out is damaged or gone")
        return None

    def give_up(self, place: str, earlier: Outcome) -> None:
        """Make sure that nobody has what this run put out at `place` before it is overwritten.

        Another run that is about to take something of this one may be after just that.

        Raises:
            ValueError: another run has taken it.
        """
        entry = outcomes.forget_one(self.pipeline, earlier)
        others = [run for run in runs_of(self.pipeline) if run.run_id != self.run_id]
        users = [run.run_id for run in others if run.has(place) or run.is_taking_from(self.run_id)]
        if users:
            if entry:
                outcomes.remember(self.pipeline, place.removeprefix(f"{self.pipeline}/{self.run_id}/"), earlier)
            raise ValueError(
                f"it would run again, and what it put out before is in use by {', '.join(users)}: "
                "begin a new run, which takes what has not changed"
            )

    def others(self, task: str, execution: str, identity: Identity, claim: Callable[[str], None]) -> Outcome | None:
        """What another run has put out for the same step, if all of it is still there.

        `claim` is told the run's id, and writes it down, before the last look: whoever removes runs removes what the
        cache says of them first, and then looks who has claimed them. One of the two sees the other.
        """
        found = outcomes.known(self.pipeline, identity) if self.cache else None
        if found and found.run != self.run_id and self.contents.are_still(found.contents):
            claim(found.run)
            if outcomes.known(self.pipeline, identity) == found:
                outcomes.write(self.place(task, execution), found)
                return found
        return None

    def begins(self, task: str, execution: str, identity: Identity) -> None:
        outcomes.write(self.place(task, execution), Outcome(identity, self.run_id))

    def ended(self, task: str, execution: str, identity: Identity, outputs: Values, shared: bool) -> None:
        """Write down what a step has put out, for this run and, if it may be `shared`, for others."""
        uris = [artifact["uri"] for artifacts in outputs.artifacts.values() for artifact in artifacts]
        contents = {uri: self.contents.made(uri) for uri in uris if self.contents.has(uri)}
        outcome = Outcome(identity, self.run_id, outputs, contents)
        outcomes.write(self.place(task, execution), outcome)
        if shared and len(contents) == len(uris):
            outcomes.remember(self.pipeline, f"{task}/{execution}", outcome)

    def place(self, task: str, execution: str) -> str:
        """The URI below which an execution's outputs lie."""
        return storage.join(self.pipeline, self.run_id, task, execution)


def words(names: list[str], most: int = 3) -> str:
    """Names for people: the first of them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
