// On every page: dismisses messages, adds local times, focuses the first invalid field.
(() => {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-dismiss]");
    if (button) button.closest("[data-toast]").remove();
  });

  document.querySelector('main [aria-invalid="true"]')?.focus();

  // A failed request must not leave an old list on the page without a notice.
  function showFailure() {
    const toast = document.querySelector("[data-failure]").content.firstElementChild.cloneNode(true);
    document.querySelector("[data-toasts]").replaceChildren(toast);
  }

  document.addEventListener("htmx:responseError", showFailure);
  document.addEventListener("htmx:sendError", showFailure);

  const local = new Intl.DateTimeFormat(undefined, {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  });

  // The server renders instants in UTC; this adds the reader's time zone.
  function showLocalTimes(root) {
    for (const time of root.querySelectorAll("time[data-instant]:not([data-localised])")) {
      time.dataset.localised = "";
      const instant = new Date(time.dateTime);
      if (instant.getTimezoneOffset() !== 0) time.after(` (${local.format(instant)} local time)`);
    }
  }

  showLocalTimes(document);
  document.addEventListener("htmx:afterSwap", () => showLocalTimes(document));
  document.addEventListener("hindcast:refreshed", () => showLocalTimes(document));
})();
