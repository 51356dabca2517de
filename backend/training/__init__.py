"""Training: labelled documents in, a finished model version out. Imports torch; the web process never imports it."""
