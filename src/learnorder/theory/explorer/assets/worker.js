// Runs one algorithm per message, away from the page's own thread.

onmessage = ({ data }) => {
  try {
    postMessage({ ticket: data.ticket, run: runArm(data.arm, data.setting, data.table) });
  } catch (error) {
    postMessage({ ticket: data.ticket, error: String(error.message || error) });
  }
};
