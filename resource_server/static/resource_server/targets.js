"use strict";
// Targets of a federated endpoint: add, move, remove, and show only what the chosen backend has.
(() => {
  const section = document.querySelector("section.targets");
  if (!section) return;
  const list = section.querySelector(".target-list");
  const empty = section.querySelector("template");
  const total = section.querySelector(`#id_${section.dataset.prefix}-TOTAL_FORMS`);

  const showBackend = (target) => {
    const backend = target.querySelector("select[name$='-backend']").value;
    for (const group of target.querySelectorAll("details[data-backend]")) {
      const of = group.dataset.backend;
      group.hidden = of !== "" && of !== backend && !group.querySelector(".errorlist");
      if (of === backend) group.open = true;
    }
  };

  const renumber = () => {
    list.querySelectorAll(".target").forEach((target, index) => {
      target.querySelector(".target-number").textContent = String(index + 1);
      target.querySelector("input[name$='-ORDER']").value = String(index + 1);
      target.classList.toggle("is-removed", target.querySelector("input[name$='-DELETE']").checked);
      showBackend(target);
    });
  };

  const add = () => {
    const copy = empty.content.cloneNode(true);
    const index = total.value;
    for (const element of copy.querySelectorAll("[name], [id], [for]")) {
      for (const name of ["name", "id", "for"]) {
        const value = element.getAttribute(name);
        if (value) element.setAttribute(name, value.replace("__prefix__", index));
      }
    }
    total.value = String(Number(index) + 1);
    list.append(copy);
    renumber();
    list.lastElementChild.querySelector("select").focus();
  };

  section.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (!button) return;
    const target = button.closest(".target");
    if (button.dataset.do === "add") return add();
    if (button.dataset.do === "up" && target.previousElementSibling) target.previousElementSibling.before(target);
    if (button.dataset.do === "down" && target.nextElementSibling) target.nextElementSibling.after(target);
    renumber();
    button.focus();
  });
  section.addEventListener("change", renumber);
  renumber();
})();
