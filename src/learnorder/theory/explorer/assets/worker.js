// Answers the page's messages, away from its own thread.

onmessage = ({ data }) => postMessage(answer(data));
