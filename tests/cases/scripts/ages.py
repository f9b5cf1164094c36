# mypy: ignore-errors
# ruff: noqa: F821
result = [{"name": ship["name"], "age": context["year"] - ship["built"]} for ship in context["list-ships"]]
