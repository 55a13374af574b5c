"""What a training had of a teacher's kept outputs."""

from pydantic import BaseModel, ConfigDict


class Use(BaseModel):
    """What a training had of a teacher's kept outputs.

    Attributes:
      key: a hash of teacher, taps, images, augmentation and precision.
      directory: where they lie.
      note: what went otherwise; else "".
      views: how many there are of all images.
      kept: of how many the outputs are kept now.
      bytes: what these take.
      asked: how many views the training has seen.
      found: of how many of these the outputs were there before.
      seconds: what the teacher took for the others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    directory: str
    note: str = ""
    views: int = 0
    kept: int = 0
    bytes: int = 0
    asked: int = 0
    found: int = 0
    seconds: float = 0

    @property
    def sentence(self) -> str:
        """In words, what it saved and what it left."""
        if not self.asked:
            return self.note
        saved = f"{self.found / self.asked:.1%} of {self.asked:,} were kept by earlier trainings"
        left = f"{self.kept:,} of {self.views:,} are kept now ({self.bytes / 1e6:,.1f} MB)"
        return "; ".join([saved, left, *([self.note] if self.note else [])])
