// Shared by pages with controls.

const $ = (id) => document.getElementById(id);
const widthOf = (id) => Math.max(260, Math.floor($(id).clientWidth));

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Let a screen reader say a sentence when it has finished its own. */
function say(text) {
  if ($("said").textContent !== text) $("said").textContent = text;
}

/** Show a sentence at the top of the page; an empty text removes it. */
function notice(key, text) {
  const known = $("notices").querySelector(`[data-key="${key}"]`);
  if (known) known.remove();
  if (!text) return;
  const line = document.createElement("p");
  line.dataset.key = key;
  line.textContent = text;
  $("notices").append(line);
}
