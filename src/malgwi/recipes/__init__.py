"""Recipes by name: each a plain function that returns a complete RunConfig.

A recipe's docstring says where it comes from, with what command it is run and what it measured.
"""

from malgwi.config import RunConfig
from malgwi.registry import resolve

RECIPES: dict[str, str] = {
    "quick": "malgwi.recipes.quick:quick",
    "telephone": "malgwi.recipes.quick:telephone",
    "demo": "malgwi.recipes.quick:demo",
    "joint_quick": "malgwi.recipes.quick:joint_quick",
    "transducer_quick": "malgwi.recipes.quick:transducer_quick",
    "conformer_quick": "malgwi.recipes.quick:conformer_quick",
    "las": "malgwi.recipes.las_2015:las",
    "las_4_1024": "malgwi.recipes.las_2019:las_4_1024",
    "las_6_1280": "malgwi.recipes.las_2019:las_6_1280",
    "deep_speech": "malgwi.recipes.deep_speech_2014:deep_speech",
    "deep_speech2": "malgwi.recipes.deep_speech2_2015:deep_speech2",
    "deep_speech2_streaming": "malgwi.recipes.deep_speech2_2015:deep_speech2_streaming",
    "conformer": "malgwi.recipes.conformer_2020:conformer",
    "transducer": "malgwi.recipes.transducer_2013:transducer",
    "organisers": "malgwi.recipes.organisers_2019:organisers",
    "team": "malgwi.recipes.team_2019:team",
    "clovacall": "malgwi.recipes.clovacall_2020:clovacall",
    "finetune": "malgwi.recipes.finetune:finetune",
}


def recipe(name: str) -> RunConfig:
    """The configuration of that name.

    Raises:
        ConfigError: No such recipe; the message lists those that are.
    """
    config: RunConfig = resolve("recipe", RECIPES, name)()
    return config
