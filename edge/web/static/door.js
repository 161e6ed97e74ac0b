// Shows the live picture while the page is in view, and a still one otherwise. Without it, the page loads again by itself.
"use strict";
const view = document.getElementById("view");
const boxes = document.getElementById("boxes");
const state = document.getElementById("view-state");
const still = view.src;
let waiting = 0;

function show() {
  clearTimeout(waiting);
  const live = boxes.checked ? view.dataset.boxes : view.dataset.plain;
  // Another address each time: browsers keep a stream that has ended.
  view.src = document.hidden ? still : live + (live.includes("?") ? "&" : "?") + "at=" + Date.now();
}

view.addEventListener("error", () => {
  state.textContent = "No picture at the moment.";
  clearTimeout(waiting);
  waiting = setTimeout(show, 3000);
});
view.addEventListener("load", () => { state.textContent = ""; });
boxes.addEventListener("change", show);
document.addEventListener("visibilitychange", show);
document.documentElement.classList.add("scripted");
show();
