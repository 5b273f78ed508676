// What a worker's script expects around it.
function behaveAsWorker() {
  window.postMessage = (data) => parent.postMessage(data, "*");
  window.importScripts = async (...urls) => {
    for (const url of urls)
      await new Promise((resolve, reject) => {
        const script = document.createElement("script");
        Object.assign(script, { src: url, onload: resolve, onerror: reject });
        document.body.append(script);
      });
  };
}

// A browser runs no worker from a file on a disk. There, the search runs in a hidden frame that looks like one.
class FrameWorker extends EventTarget {
  constructor(url) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    document.body.append(frame);
    this.inside = frame.contentWindow;
    addEventListener("message", (event) => {
      if (event.source === this.inside) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
    });
    this.ready = new Promise((resolve) => frame.addEventListener("load", resolve));
    frame.srcdoc = `<script>(${behaveAsWorker})()</script><script src="${url}"></script>`;
  }

  postMessage(data) {
    this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })));
  }
}

if (location.protocol === "file:") window.Worker = FrameWorker;
