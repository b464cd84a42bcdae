// Refetches the live regions after a publication and flashes the figures that changed.
(() => {
  const BATCH_MS = 150;
  const JITTER_MS = 600;

  let refreshTimer = null;

  const regions = () => [...document.querySelectorAll("[data-live]")];

  function concerns(region, message) {
    if (!region.dataset.symbols) return false;
    return region.dataset.symbols.split(" ").includes(message.symbol) && String(message.horizon) === region.dataset.horizon;
  }

  function flash(region, before) {
    for (const node of region.querySelectorAll("[data-flash]")) {
      if (before.get(node.dataset.flash) === node.textContent.trim()) continue;
      node.classList.add("flash");
      node.addEventListener("animationend", () => node.classList.remove("flash"), { once: true });
    }
  }

  // Keeps open details open.
  function keepOpen(region, fresh) {
    const freshDetails = fresh.querySelectorAll("details");
    region.querySelectorAll("details").forEach((details, i) => freshDetails[i]?.toggleAttribute("open", details.open));
  }

  // Replaces the region; a focused link keeps the focus.
  function replace(region, fresh) {
    const before = new Map(
      [...region.querySelectorAll("[data-flash]")].map((node) => [node.dataset.flash, node.textContent.trim()]),
    );
    const focused = region.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    keepOpen(region, fresh);
    region.replaceWith(fresh);
    if (focused) fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
    flash(fresh, before);
  }

  async function refresh() {
    refreshTimer = null;
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const region of regions()) {
      const fresh = page.getElementById(region.id);
      if (fresh) replace(region, document.adoptNode(fresh));
    }
    document.dispatchEvent(new CustomEvent("hindcast:refreshed"));
  }

  // Sends one request for a burst of messages, with jitter so that open pages do not all request at once.
  function scheduleRefresh() {
    refreshTimer ??= setTimeout(refresh, BATCH_MS + Math.random() * JITTER_MS);
  }

  document.addEventListener("hindcast:forecasts", (event) => {
    if (regions().some((region) => concerns(region, event.detail))) scheduleRefresh();
  });

  // The first snapshot may be newer than the page, which was rendered before it.
  document.addEventListener("hindcast:snapshot", (event) => {
    const shown = (region) => region.dataset.shown.split(" ").includes(String(event.detail.id));
    if (regions().some((region) => concerns(region, event.detail) && !shown(region))) scheduleRefresh();
  });
})();
