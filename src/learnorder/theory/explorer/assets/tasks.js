// What the page asks of a background script.

const TASKS = {
  run: ({ arm, setting, table }) => runArm(arm, setting, table),
  limits: ({ setting, table }) => Object.fromEntries(ARMS.map((arm) => [arm, runArm(arm, setting, table)])),
  watch,
};

/** Return the answer to a message, or why there is none. */
function answer(message) {
  try {
    return { ticket: message.ticket, result: TASKS[message.task](message) };
  } catch (error) {
    return { ticket: message.ticket, error: String(error.message || error) };
  }
}
