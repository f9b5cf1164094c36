// Elements from values. Every text is put in as text: nothing here, or anywhere in the console, parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element. Attributes that are functions listen, `true` is an empty attribute, `false`, null and undefined are left out. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  put(element, ...children);
  return element;
}

/** Adds children: elements, texts, lists of them; what is null or false is left out. */
export function put(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** Puts children in the place of those there are. */
export function fill(element, ...children) {
  element.replaceChildren();
  return put(element, ...children);
}

let counter = 0;

/** An id that is used once. */
export function fresh(prefix) {
  counter += 1;
  return `${prefix}-${counter}`;
}

/** Tells people who cannot see it that something happened. */
export function announce(text) {
  const place = document.getElementById("toast");
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
}

/** A button that copies a text and says so. `text` is a function, so that it is made when it is wanted. */
export function copyButton(text, what = "Copy") {
  const button = h("button", { type: "button", class: "copy", click: copy }, what);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
      announce("Copied to the clipboard");
    } catch {
      button.textContent = "Select and copy"; // a page that is not served by localhost or https has no clipboard
    }
    setTimeout(() => { button.textContent = what; }, 1600);
  }
  return button;
}

/** Moves the focus among links of a list with the arrow keys; one of them is in the tab order at a time. */
export function roving(list, selector) {
  const items = () => [...list.querySelectorAll(selector)].filter((item) => item.offsetParent !== null);
  const settle = (chosen) => {
    for (const item of list.querySelectorAll(selector)) item.tabIndex = item === chosen ? 0 : -1;
  };
  list.addEventListener("focusin", (event) => {
    const item = event.target.closest(selector);
    if (item) settle(item);
  });
  list.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(event.target.closest(selector));
    const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, to))].focus();
  });
  settle(list.querySelector(`${selector}[aria-current]`) ?? list.querySelector(selector));
}

/** A place for something wide, such as a table: it scrolls by itself, with the keyboard as well. */
export function wide(label, ...children) {
  return h("div", { class: "wide", role: "region", "aria-label": label, tabindex: "0" }, ...children);
}
