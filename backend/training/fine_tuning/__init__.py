"""Fine-tunes a token classifier on tagged documents; start with `fine_tune.fine_tune`."""
