"use strict";
// Arms are hidden and shown, and points say what they are. Without scripts the figures stand as they are,
// with the text of each point as the browser's own tip.

const tip = document.createElement("p");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("role", "status");
document.body.append(tip);

function hideTip() {
  tip.hidden = true;
  document.querySelector(".point.at")?.classList.remove("at");
}

function tell(point) {
  hideTip();
  point.classList.add("at");
  tip.textContent = point.dataset.says;
  tip.hidden = false;
  const box = point.getBoundingClientRect();
  const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  tip.style.left = `${window.scrollX + Math.max(8, Math.min(box.left, room))}px`;
  tip.style.top = `${window.scrollY + box.bottom + 8}px`;
}

function showArms(section) {
  const choice = section.querySelector(".arms");
  if (!choice) return;
  choice.hidden = false;
  choice.addEventListener("change", (event) => {
    hideTip();
    for (const part of section.querySelectorAll(`svg [data-arm="${event.target.value}"]`))
      part.classList.toggle("off", !event.target.checked);
  });
}

function showPoints(figure) {
  const points = [...figure.querySelectorAll(".point")];
  if (!points.length) return;
  for (const point of points) {
    const title = point.querySelector("title");
    point.dataset.says = title.textContent;
    title.remove(); // the browser's tip would stand beside ours
  }
  figure.setAttribute("role", "group");
  figure.setAttribute("tabindex", "0");
  figure.setAttribute("aria-label", `${figure.getAttribute("aria-label")}. Arrow keys go from point to point.`);
  let current = null;
  figure.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const shown = points.filter((point) => !point.closest(".off"));
    if (event.key === "Escape") hideTip();
    if (!step || !shown.length) return;
    event.preventDefault();
    const at = shown.indexOf(current);
    const next = at < 0 && step < 0 ? shown.length - 1 : at + step;
    current = shown[(next + shown.length) % shown.length];
    tell(current);
  });
  figure.addEventListener("blur", hideTip);
  figure.addEventListener("pointerover", (event) => {
    const point = event.target.closest(".point");
    if (point) tell(point);
    else hideTip();
  });
  figure.addEventListener("pointerleave", hideTip);
}

document.querySelectorAll("section").forEach(showArms);
document.querySelectorAll("figure svg").forEach(showPoints);
window.addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
