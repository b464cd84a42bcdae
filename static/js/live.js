// When a publication arrives on the stream, fetches what it changed and flashes the figures that differ.
(() => {
  const GATHER_MS = 150;
  const SPREAD_MS = 600;

  let waiting = null;

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

  // What the reader has unfolded stays unfolded.
  function unfold(region, fresh) {
    const folds = fresh.querySelectorAll("details");
    region.querySelectorAll("details").forEach((fold, i) => folds[i]?.toggleAttribute("open", fold.open));
  }

  // Puts the new region in the old one's place; a focused link stays focused.
  function replace(region, fresh) {
    const before = new Map(
      [...region.querySelectorAll("[data-flash]")].map((node) => [node.dataset.flash, node.textContent.trim()]),
    );
    const focused = region.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    unfold(region, fresh);
    region.replaceWith(fresh);
    if (focused) fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
    flash(fresh, before);
  }

  async function refresh() {
    waiting = null;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of regions()) {
      const fresh = page.getElementById(region.id);
      if (fresh) replace(region, document.adoptNode(fresh));
    }
    document.dispatchEvent(new CustomEvent("hindcast:refreshed"));
  }

  // One request for a burst of messages, spread out so that many open pages do not ask at the same instant.
  function gather() {
    waiting ??= setTimeout(refresh, GATHER_MS + Math.random() * SPREAD_MS);
  }

  document.addEventListener("hindcast:forecasts", (event) => {
    if (regions().some((region) => concerns(region, event.detail))) gather();
  });

  // The first thing the stream tells is what stands now: it may be newer than the page, which was made a moment before.
  document.addEventListener("hindcast:snapshot", (event) => {
    const shown = (region) => region.dataset.shown.split(" ").includes(String(event.detail.id));
    if (regions().some((region) => concerns(region, event.detail) && !shown(region))) gather();
  });
})();
