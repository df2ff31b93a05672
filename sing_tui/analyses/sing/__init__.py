"""SING in the explorer: the details of models, classes, concepts and images."""

from sing_tui.analyses.sing.class_details import class_detail, concept_detail, image_detail
from sing_tui.analyses.sing.model_details import model_detail
from sing_tui.details import register_details

for _table, _detail in (
    ("models", model_detail),
    ("classes", class_detail),
    ("concepts", concept_detail),
    ("images", image_detail),
):
    register_details(_table, _detail)
