// What is wider than its place scrolls with the arrow keys once the tab key has reached it.
(() => {
  "use strict";
  const boxes = document.querySelectorAll("article pre, article .table-wrapper, article div.math");
  const update = () => {
    for (const box of boxes) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
      } else {
        box.removeAttribute("tabindex");
      }
    }
  };
  window.addEventListener("resize", update);
  update();
})();
