// Runs before the first paint, so that a chosen theme does not flash. It is no module, because modules run later.
try {
  const chosen = localStorage.getItem("musicrec.theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch {
  // Without storage, the page follows the system.
}
