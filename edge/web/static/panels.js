// Escape and Cancel close a panel, and the keyboard is back where it was opened. Without this, Cancel is a link.
"use strict";
let opener = null;

function close(panel) {
  const place = panel.closest("details, [id^='ask-']");
  if (!place) return false;
  const details = place.matches("details");
  if (details) place.open = false;
  else place.replaceChildren();
  const back = details ? place.querySelector("summary") : opener;
  if (back?.closest("article") === place.closest("article")) back.focus();
  return true;
}

document.addEventListener("focusin", ({ target }) => {
  if (target.matches(".actions a")) opener = target;
});
document.addEventListener("click", (event) => {
  const cancel = event.target.closest(".cancel");
  if (cancel && close(cancel.closest(".panel"))) event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const card = document.activeElement.closest("article");
  const within = document.activeElement === document.body ? document : card;
  for (const panel of within?.querySelectorAll("[id^='ask-'] .panel, details[open] .panel") ?? []) close(panel);
});
