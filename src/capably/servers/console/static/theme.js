// Light or dark before anything is painted: what was chosen here, else what the system prefers (theme.css).
{
  const chosen = localStorage.getItem("capably-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
