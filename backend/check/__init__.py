"""``check``: what works between this service and Label Studio, and how to mend what does not."""
