// Light or dark theme: the reader's choice, else the system setting. Runs before the first paint.
(() => {
  const KEY = "hindcast-theme";
  const root = document.documentElement;

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function store(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Without storage the choice applies to this page only.
    }
  }

  const chosen = stored();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const announce = () => document.dispatchEvent(new CustomEvent("hindcast:theme"));
  systemDark.addEventListener("change", announce);

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || !event.target.closest("[data-theme-toggle]")) return;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches;
    root.dataset.theme = dark ? "light" : "dark";
    store(root.dataset.theme);
    announce();
  });
})();
