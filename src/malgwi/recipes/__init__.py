"""Recipes by name: each a plain function that returns a complete RunConfig.

A recipe's docstring says where it comes from, with what command it is run and what it measured.
"""

from malgwi.config import RunConfig
from malgwi.registry import resolve

RECIPES: dict[str, str] = {
    "quick": "malgwi.recipes.quick:quick",
    "telephone": "malgwi.recipes.quick:telephone",
    "demo": "malgwi.recipes.quick:demo",
    "las": "malgwi.recipes.las_2015:las",
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
