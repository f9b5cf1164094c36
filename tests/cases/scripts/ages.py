# mypy: ignore-errors
# ruff: noqa
result = [{"name": ship["name"], "age": context["year"] - ship["built"]} for ship in context["list-ships"]]
