// The oldest ships, and how many there are.
const count = Math.min(context.most, context["list-ships"].length);
result = {
  count,
  names: [...context["list-ships"]].sort((one, other) => one.built - other.built).slice(0, count).map((ship) => ship.name),
};
