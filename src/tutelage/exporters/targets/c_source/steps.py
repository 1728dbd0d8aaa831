"""The steps of a program in C, and where in the working memory each has its result."""

from __future__ import annotations

from tutelage.core.errors import BadInput
from tutelage.exporters.program import operations as op
from tutelage.exporters.program.program import Program
from tutelage.exporters.targets.c_source.operations import IN_PLACE, OPERATIONS, size
from tutelage.exporters.targets.c_source.source import Place, Source
from tutelage.exporters.targets.c_source.trees import trees

LARGEST_WORK = 2**20
"""Bytes of working memory, which is on the stack."""


def write_steps(source: Source) -> int:
    """Write the lines that answer a row, from `row` to `answers`.

    Returns:
        How many numbers of working memory `work` they need.

    Raises:
        BadInput: a step that C does not have, or more working memory than `LARGEST_WORK`.
    """
    program = source.program
    for step in program.steps:
        if type(step.operation) not in OPERATIONS and not isinstance(step.operation, op.TreeSum | op.Reshape):
            raise op.cannot_be_written(step.operation, "C")
    memory = _Memory(program, source)
    for number, step in enumerate(program.steps):
        operation, place = step.operation, memory.place(number)
        if place is None or (isinstance(operation, op.Numbers) and place.array == source.row):
            continue
        if isinstance(operation, op.TreeSum):
            first = program.steps[step.sources[0]].operation
            if isinstance(first, op.Numbers):  # from the row itself
                trees(source, operation, place, Place(source.row, 0, source.cell), first.places)
            else:
                trees(source, operation, place, memory.taken(step.sources[0]), None)
        elif not isinstance(operation, op.Reshape):
            given = [each for one in step.sources for each in (memory.taken(one), program.steps[one].shape)]
            OPERATIONS[type(operation)](source, operation, place, *given)
        elif memory.taken(step.sources[0]) != place:
            source.each(place, size(step.shape), memory.taken(step.sources[0]).item("i"))
    used = memory.used * (4 if source.number == "float" else 8)
    if used > LARGEST_WORK:
        raise BadInput(
            f"this student needs {used / 2**20:.1f} MiB of working memory for a row, and C has it on the stack; expected at most "
            f"{LARGEST_WORK // 2**20} MiB. Export it to ONNX."
        )
    return memory.used


class _Memory:
    """Gives each result a place that no other result has that is still read."""

    def __init__(self, program: Program, source: Source) -> None:
        self.program, self.source = program, source
        self.used = 0
        self.last = len(program.steps) - 1
        self._read_until = {one: number for number, step in enumerate(program.steps) for one in step.sources}
        for number in reversed(range(len(program.steps))):  # a new shape keeps its numbers where they are
            step = program.steps[number]
            if isinstance(step.operation, op.Reshape):
                self._read_until[step.sources[0]] = max(self._until(step.sources[0]), self._until(number))
        self._places: dict[int, Place] = {}

    def taken(self, number: int) -> Place:
        """Where an earlier result is."""
        return self._places[number]

    def place(self, number: int) -> Place | None:
        """Where a result goes; None if nothing reads it there."""
        place = self._found(number)
        if place is not None:
            self._places[number] = place
        return place

    def _found(self, number: int) -> Place | None:
        step, source = self.program.steps[number], self.source
        if number == self.last:
            return Place("answers", 0, source.number)
        if isinstance(step.operation, op.Numbers):
            readers = [one.operation for one in self.program.steps if number in one.sources]
            if all(isinstance(one, op.TreeSum) for one in readers):
                return None
            if step.operation.places is None and source.cell == source.number:
                return Place(source.row, 0, source.cell)
        if isinstance(step.operation, op.Reshape):
            return self._places[step.sources[0]]
        if isinstance(step.operation, IN_PLACE) and step.sources[0] in self._places:
            before = self._places[step.sources[0]]
            if before.array == "work" and self._until(step.sources[0]) == number and not self._shared(step.sources[0], number):
                return before
        return Place("work", self._free(number, size(step.shape)), source.number)

    def _until(self, number: int) -> int:
        return self._read_until.get(number, number)

    def _shared(self, wanted: int, number: int) -> bool:
        """Whether another result at the same place is read after a step."""
        place = self._places[wanted]
        return any(at == place and self._until(one) > number for one, at in self._places.items())

    def _free(self, number: int, count: int) -> int:
        """The first free stretch of the working memory."""
        steps = self.program.steps
        taken = sorted(
            (place.start, place.start + size(steps[one].shape))
            for one, place in self._places.items()
            if place.array == "work" and self._until(one) >= number
        )
        start = 0
        for begin, end in taken:
            if begin - start >= count:
                break
            start = max(start, end)
        self.used = max(self.used, start + count)
        return start
