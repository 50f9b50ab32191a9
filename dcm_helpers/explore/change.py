"""What is done to a content before it is read: blended, emptied, swapped, disturbed."""

from dataclasses import dataclass

from dcm_helpers.look import turned
from dcm_helpers.shapes import Content


@dataclass(frozen=True)
class Change:
    """What is done to a content before it is read, in the order of the fields."""

    blend_with: Content | None = None
    blend: float = 0.0
    """How far towards the other content: 0 is this one, 1 the other."""
    emptied: tuple[int, ...] = ()
    """Slots that are set to zero."""
    swapped: tuple[int, int] | None = None
    """Two slots that change places."""
    noise: float = 0.0
    """Norm of the noise added to each slot, as a fraction of the slot's own norm."""
    seed: int = 0

    def of(self, content: Content) -> Content:
        """The changed content; slots that it does not have are left out, and so is another of another size."""
        changed = content.clone()
        slots = range(len(content))
        if self.blend_with is not None and self.blend and self.blend_with.shape == content.shape:
            changed = changed.lerp(self.blend_with, self.blend)  # exact at both ends
        changed[[slot for slot in self.emptied if slot in slots]] = 0
        if self.swapped is not None and set(self.swapped) <= set(slots):
            changed[list(self.swapped)] = changed[list(reversed(self.swapped))]
        if self.noise:
            changed = changed + self.noise * turned(changed, self.seed)
        return changed
