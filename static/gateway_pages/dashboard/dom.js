// Building and finding elements. Text goes in as text: nothing here takes markup.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** A new element with properties and children (elements or text). */
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Sets text where it is another one: what stays the same is not touched, and not announced again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Lets `work` run at the next frame of the screen, however often it is asked for. */
export function oncePerFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}
