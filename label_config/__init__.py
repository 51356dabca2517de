"""Labelling configurations of Label Studio: which labels a project has; read, generated and ready-made."""

from label_config.config import Control, Label, LabelConfig, LabelledText, UnsupportedLabelConfig
from label_config.generate import generate
from label_config.templates import template

__all__ = ["Control", "Label", "LabelConfig", "LabelledText", "UnsupportedLabelConfig", "generate", "template"]
