// The page's end of a wire (see live.py): a widget model without a view.
// Buttons inside [data-dcm-wire=ID] send their data-dcm-send; scripts of the page find the model in window.dcmWires.
export default {
  initialize({ model }) {
    const id = model.get("wire");
    const wires = (window.dcmWires ??= {});
    wires[id] = model;
    const style = document.createElement("style");
    style.textContent = `[data-dcm-wire="${id}"] [data-dcm-send] { display: inline-block !important; }`;
    document.head.append(style);
    const click = (event) => {
      const button = event.target.closest?.(`[data-dcm-wire="${id}"] [data-dcm-send]`);
      if (!button) return;
      button.disabled = true;
      model.send(JSON.parse(button.dataset.dcmSend));
    };
    document.addEventListener("click", click);
    window.dispatchEvent(new CustomEvent("dcm-wire", { detail: id }));
    return () => {
      delete wires[id];
      style.remove();
      document.removeEventListener("click", click);
      window.dispatchEvent(new CustomEvent("dcm-wire", { detail: id }));
    };
  },
};
