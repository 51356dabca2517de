"""``make demo``: the whole loop on one machine, with its own Label Studio."""
