// Background scripts, one for each engine.

/** Answers messages one after the other; of those that wait, only the last is kept. */
class Engine {
  constructor(answered) {
    Object.assign(this, { answered, busy: false, next: null, worker: null });
    try {
      const source = new Blob([$("solver").textContent, $("worker").textContent], { type: "text/javascript" });
      this.worker = new Worker(URL.createObjectURL(source));
    } catch {
      return this.withoutWorker("This browser runs no background scripts here");
    }
    this.worker.onmessage = ({ data }) => this.finish(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.worker = null;
      this.withoutWorker("Background scripts do not work here");
      if (this.busy) this.begin(this.current);
    };
  }

  withoutWorker(why) {
    notice("workers", `${why}, so the page stops for a second or two at each change.`);
  }

  post(message) {
    if (this.busy) this.next = message;
    else this.begin(message);
  }

  begin(message) {
    Object.assign(this, { busy: true, current: message, next: null });
    if (this.worker) this.worker.postMessage(message);
    else setTimeout(() => this.finish(answer(message)), 30);
  }

  finish(reply) {
    this.busy = false;
    if (this.next) this.begin(this.next);
    this.answered(reply);
  }
}
