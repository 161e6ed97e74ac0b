// The page of the box: words for the slider, and a region drawn with a finger. Without it, the numbers still work.
"use strict";

for (const slider of document.querySelectorAll("input[data-words]")) {
  const words = JSON.parse(slider.dataset.words);
  const output = document.getElementById(slider.dataset.output);
  const show = () => {
    output.textContent = words[slider.value];
    slider.setAttribute("aria-valuetext", words[slider.value]);
  };
  slider.addEventListener("input", show);
  show();
}

const sheet = document.getElementById("region-sheet");
if (sheet) {
  const frame = document.getElementById("region-frame");
  const fields = Object.fromEntries(["left", "top", "right", "bottom"].map((side) => [side, document.getElementById(side)]));
  // The picture shows the region that is set now; the fields are percents of the whole.
  const shown = Object.fromEntries(Object.keys(fields).map((side) => [side, Number(sheet.dataset[side])]));
  const width = shown.right - shown.left;
  const height = shown.bottom - shown.top;
  const clamp = (value) => Math.min(1, Math.max(0, value));
  let from = null;

  const draw = () => {
    const x = (side) => clamp((Number(fields[side].value) - shown.left) / width);
    const y = (side) => clamp((Number(fields[side].value) - shown.top) / height);
    frame.style.left = `${100 * x("left")}%`;
    frame.style.top = `${100 * y("top")}%`;
    frame.style.width = `${100 * (x("right") - x("left"))}%`;
    frame.style.height = `${100 * (y("bottom") - y("top"))}%`;
  };
  const at = (event) => {
    const box = sheet.getBoundingClientRect();
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  };
  const move = (event) => {
    if (!from) return;
    const [x, y] = at(event);
    const set = (side, value) => { fields[side].value = Math.round(value); };
    set("left", shown.left + width * Math.min(x, from[0]));
    set("right", shown.left + width * Math.max(x, from[0]));
    set("top", shown.top + height * Math.min(y, from[1]));
    set("bottom", shown.top + height * Math.max(y, from[1]));
    draw();
  };
  sheet.addEventListener("pointerdown", (event) => {
    from = at(event);
    sheet.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  sheet.addEventListener("pointermove", move);
  for (const end of ["pointerup", "pointercancel"]) sheet.addEventListener(end, () => { from = null; });
  for (const field of Object.values(fields)) field.addEventListener("input", draw);
  draw();

  const image = sheet.querySelector("img");
  const missing = () => {
    sheet.hidden = true;
    document.getElementById("no-picture").hidden = false;
  };
  image.addEventListener("error", missing);
  if (image.complete && !image.naturalWidth) missing();
}
