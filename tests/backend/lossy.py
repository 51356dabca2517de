"""A run that could not use all regions, for the tests of what shows it."""

from __future__ import annotations

from backend.conversion import Conversion, Example, Kind, Use
from backend.store import Store
from tests.backend.fakes import UID

LOSSY = Conversion(
    Use(120, 118, 412, 378),
    Use(12, 12, 40, 35),
    losses=(
        Kind("unknown_label", "label not in the configuration", 30, (Example("5", "'<b>Person</b>' is not there"),)),
        Kind("overlap", "overlaps another region", 4, (Example("8", "Dish at 4 to 9"), Example("#9", "Dish"))),
    ),
    repairs=(Kind("corrected_offsets", "offsets corrected", 7, (Example("21", "read at 3 to 8"),)),),
    unknown_labels={"Person": 30},
    texts_left_out=2,
)

WHOLE = Conversion(Use(120, 120, 412, 412), Use(12, 12, 40, 40))


def note_losses(store: Store, conversion: Conversion = LOSSY, *, version: str | None = None) -> str:
    """A finished run with this conversion; returns its id."""
    run, _ = store.runs.queue(UID, "button")
    store.runs.claim()
    store.runs.update(run.id, attempt=1, conversion=conversion.to_dict(), documents=conversion.total.tasks_used)
    store.runs.end(run.id, "finished", version=version)
    return run.id
