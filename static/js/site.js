// What every page does: dismiss messages, tell times in the reader's zone, lead to what a form complains about.
(() => {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-dismiss]");
    if (button) button.closest("[data-toast]").remove();
  });

  document.querySelector('main [aria-invalid="true"]')?.focus();

  // A list that could not be fetched is not left standing as if it were the answer.
  function tellFailure() {
    const toast = document.querySelector("[data-failure]").content.firstElementChild.cloneNode(true);
    document.querySelector("[data-toasts]").replaceChildren(toast);
  }

  document.addEventListener("htmx:responseError", tellFailure);
  document.addEventListener("htmx:sendError", tellFailure);

  const local = new Intl.DateTimeFormat(undefined, {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  });

  // The server writes instants in UTC; the reader's own zone stands beside it.
  function tellLocalTimes(root) {
    for (const time of root.querySelectorAll("time[data-instant]:not([data-told])")) {
      time.dataset.told = "";
      const instant = new Date(time.dateTime);
      if (instant.getTimezoneOffset() !== 0) time.after(` (${local.format(instant)} here)`);
    }
  }

  tellLocalTimes(document);
  document.addEventListener("htmx:afterSwap", () => tellLocalTimes(document));
  document.addEventListener("hindcast:refreshed", () => tellLocalTimes(document));
})();
