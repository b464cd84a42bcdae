// The alert form shows only the fields that the chosen condition needs.
function showNeededFields(form) {
  const kind = form.elements.kind.value;
  for (const choice of form.querySelectorAll("[data-for-kind]")) {
    choice.hidden = !choice.dataset.forKind.split(" ").includes(kind);
  }
}

export function initRuleForms(root = document) {
  for (const form of root.querySelectorAll("[data-rule-form]")) {
    form.elements.kind.addEventListener("change", () => showNeededFields(form));
    showNeededFields(form);
  }
}

initRuleForms();
document.addEventListener("htmx:load", (event) => initRuleForms(event.target));
