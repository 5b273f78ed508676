"""Builds the models in the order in which they read each other."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

from cogny_source.destinations.model_store import ModelStore, ModelText
from cogny_source.models.project import read_project
from cogny_source.models.rendering import Renderer

logger = logging.getLogger(__name__)


def render_models(store: ModelStore, variables: Mapping[str, Any]) -> Iterator[ModelText]:
    """The models for a store, each after those that it reads.

    Args:
        store: Where they are built.
        variables: Values of the package's variables, instead of the defaults.
    """
    project = read_project()
    renderer = Renderer(project, store, variables)
    rendered = {name: renderer.render(model.sql) for name, model in project.models.items()}
    for name in TopologicalSorter({name: sorted(it.reads) for name, it in rendered.items()}).static_order():
        model = project.models[name]
        yield ModelText(name, model.kind, rendered[name].sql, model.description, model.columns)


def build_models(store: ModelStore, variables: Mapping[str, Any]) -> list[str]:
    """Build all models; returns their names in the order in which they were built.

    Args:
        store: Where they are built.
        variables: Values of the package's variables, instead of the defaults.

    Raises:
        LoadFailed: If the destination refuses one.
    """
    built = []
    texts = list(render_models(store, variables))
    with store.building():
        for model in texts:
            store.create(model)
            built.append(model.name)
            logger.debug("model %s is built", model.name)
    return built
