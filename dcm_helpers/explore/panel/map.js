// The map: points in one plane on a canvas, with zoom, lasso, box and nearest point. Knows nothing of what points mean.
// Ten thousand points are redrawn in some ten milliseconds, so it needs no library.
function dcmMap(canvas, { onHover, onPick, onSelect }) {
  const context = canvas.getContext("2d");
  const view = { zoom: 1, x: 0, y: 0 };
  let scene = { facets: [], tool: "move" };
  let drag = null;
  const size = () => ({ width: canvas.clientWidth, height: canvas.clientHeight });

  // a facet is a rectangle of the canvas with points of its own; coordinates of points run from 0 to 1
  function rectangles() {
    const { width, height } = size();
    const count = Math.max(1, scene.facets.length);
    return scene.facets.map((_, index) => ({ left: (width * index) / count, width: width / count, height }));
  }
  function place(rectangle, x, y) {
    return [
      rectangle.left + rectangle.width * (0.5 + 0.92 * ((x - 0.5) * view.zoom + view.x)),
      rectangle.height * (0.5 - 0.86 * ((y - 0.5) * view.zoom + view.y)),
    ];
  }

  function draw() {
    const { width, height } = size();
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const ink = getComputedStyle(canvas).color;
    rectangles().forEach((rectangle, index) => {
      const facet = scene.facets[index];
      context.save();
      context.beginPath();
      context.rect(rectangle.left, 0, rectangle.width, rectangle.height);
      context.clip();
      for (const point of facet.points) [point.left, point.top] = place(rectangle, point.x, point.y);
      context.lineWidth = 1.2;
      for (const [from, to, color] of facet.lines) {
        context.globalAlpha = 0.55;
        context.strokeStyle = color;
        context.beginPath();
        context.moveTo(from.left, from.top);
        context.lineTo(to.left, to.top);
        context.stroke();
      }
      const radius = facet.points.length > 2000 ? 2.5 : facet.points.length > 400 ? 4 : 5.5;
      for (const point of facet.points) {
        context.globalAlpha = point.dim ? 0.12 : 0.9;
        context.fillStyle = context.strokeStyle = point.color;
        context.beginPath();
        mark(point.symbol, point.left, point.top, radius);
        if (point.hollow) context.stroke();
        else context.fill();
      }
      context.globalAlpha = 1;
      context.strokeStyle = ink;
      for (const [point, wide] of facet.rings) {
        context.lineWidth = wide;
        context.beginPath();
        context.arc(point.left, point.top, radius + 4, 0, 2 * Math.PI);
        context.stroke();
      }
      if (facet.title) {
        context.fillStyle = ink;
        context.font = "12px system-ui, sans-serif";
        context.fillText(facet.title, rectangle.left + 10, 18);
      }
      context.restore();
    });
    if (drag?.path) {
      context.strokeStyle = ink;
      context.setLineDash([4, 3]);
      context.beginPath();
      drag.path.forEach(([left, top], index) => (index ? context.lineTo(left, top) : context.moveTo(left, top)));
      context.closePath();
      context.stroke();
      context.setLineDash([]);
    }
  }

  function mark(symbol, left, top, radius) {
    if (symbol === 1) context.rect(left - radius * 0.85, top - radius * 0.85, radius * 1.7, radius * 1.7);
    else if (symbol === 2) {
      context.moveTo(left, top - radius * 1.2);
      context.lineTo(left + radius * 1.1, top + radius * 0.8);
      context.lineTo(left - radius * 1.1, top + radius * 0.8);
      context.closePath();
    } else if (symbol === 3) {
      context.moveTo(left, top - radius * 1.25);
      context.lineTo(left + radius * 1.25, top);
      context.lineTo(left, top + radius * 1.25);
      context.lineTo(left - radius * 1.25, top);
      context.closePath();
    } else context.arc(left, top, radius, 0, 2 * Math.PI);
  }

  function nearest(left, top, reach = 12) {
    let best = null;
    let least = reach * reach;
    for (const facet of scene.facets)
      for (const point of facet.points) {
        if (point.dim) continue;
        const square = (point.left - left) ** 2 + (point.top - top) ** 2;
        if (square < least) [least, best] = [square, point];
      }
    return best;
  }
  function inside(path, left, top) {
    let odd = false;
    for (let index = 0, before = path.length - 1; index < path.length; before = index++) {
      const [a, b] = path[index];
      const [c, d] = path[before];
      if (b > top !== d > top && left < ((c - a) * (top - b)) / (d - b) + a) odd = !odd;
    }
    return odd;
  }
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    const [left, top] = at(event);
    const tool = event.shiftKey ? "lasso" : scene.tool;
    drag = { tool, start: [left, top], view: { ...view }, path: tool === "move" ? null : [[left, top]], moved: false };
    canvas.setPointerCapture?.(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [left, top] = at(event);
    if (!drag) return onHover(nearest(left, top), left, top);
    drag.moved ||= Math.hypot(left - drag.start[0], top - drag.start[1]) > 3;
    const { width, height } = size();
    if (drag.tool === "move" && drag.moved) {
      view.x = drag.view.x + ((left - drag.start[0]) * Math.max(1, scene.facets.length)) / (0.92 * width);
      view.y = drag.view.y - (top - drag.start[1]) / (0.86 * height);
    } else if (drag.tool === "lasso") drag.path.push([left, top]);
    else if (drag.tool === "box") {
      const [a, b] = drag.start;
      drag.path = [[a, b], [left, b], [left, top], [a, top]];
    }
    onHover(null);
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    const [left, top] = at(event);
    const done = drag;
    drag = null;
    if (!done) return;
    if (!done.moved) onPick(nearest(left, top));
    else if (done.path) {
      const points = scene.facets.flatMap((facet) => facet.points);
      onSelect(points.filter((point) => !point.dim && inside(done.path, point.left, point.top)));
    }
    draw();
  });
  canvas.addEventListener("pointerleave", () => onHover(null));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [left, top] = at(event);
    const { width, height } = size();
    const factor = Math.exp(-event.deltaY / 400);
    const facets = Math.max(1, scene.facets.length);
    const inFacet = ((left * facets) / width) % 1;
    const [x, y] = [(inFacet - 0.5) / 0.92, (0.5 - top / height) / 0.86];
    const zoom = Math.min(60, Math.max(0.5, view.zoom * factor));
    view.x = x - ((x - view.x) * zoom) / view.zoom;
    view.y = y - ((y - view.y) * zoom) / view.zoom;
    view.zoom = zoom;
    draw();
  }, { passive: false });
  const all = () => Object.assign(view, { zoom: 1, x: 0, y: 0 });
  canvas.addEventListener("dblclick", () => {
    all();
    draw();
  });
  canvas.tabIndex = 0;
  const step = 0.1;
  const keys = {
    ArrowLeft: () => (view.x += step), ArrowRight: () => (view.x -= step),
    ArrowUp: () => (view.y -= step), ArrowDown: () => (view.y += step),
    "+": () => enlarge(1.25), "-": () => enlarge(0.8), 0: all,
  };
  function enlarge(factor) {
    const zoom = Math.min(60, Math.max(0.5, view.zoom * factor));
    [view.x, view.y, view.zoom] = [(view.x * zoom) / view.zoom, (view.y * zoom) / view.zoom, zoom];
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
    draw();
  });
  new ResizeObserver(draw).observe(canvas);
  return { show(next) { scene = next; draw(); } };
}
