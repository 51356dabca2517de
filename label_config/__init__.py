"""What a project labels: Label Studio's labelling configuration, read and ready-made."""

from label_config.config import LabelConfig, UnsupportedLabelConfig
from label_config.templates import template

__all__ = ["LabelConfig", "UnsupportedLabelConfig", "template"]
