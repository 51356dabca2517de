"""Loads the model that training starts from: from the hub, a folder, or a package from PyPI."""
