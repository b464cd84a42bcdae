// The alert form shows only the fields that the chosen condition needs.
function fit(form) {
  const kind = form.elements.kind.value;
  for (const choice of form.querySelectorAll("[data-for-kind]")) {
    choice.hidden = !choice.dataset.forKind.split(" ").includes(kind);
  }
}

export function fitRuleForms(root = document) {
  for (const form of root.querySelectorAll("[data-rule-form]")) {
    form.elements.kind.addEventListener("change", () => fit(form));
    fit(form);
  }
}

fitRuleForms();
document.addEventListener("htmx:load", (event) => fitRuleForms(event.target));
