"""``make demo``: the whole loop on one machine, with a Label Studio of its own."""
