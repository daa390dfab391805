/** Pointers, wheel and keys → one view that both frames share. Knows a frame's element, no picture. */
import { type KeyboardEvent, type PointerEvent, useCallback, useRef, useState } from "react";
import { moved, WHOLE, type ZoomView, zoomed } from "./zoom";

const STEP = 1.5;
type Point = { x: number; y: number };
const apart = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);

export function useZoom() {
  const [view, setView] = useState<ZoomView>(WHOLE);
  const pointers = useRef(new Map<number, Point>());

  /** The wheel's listener must be able to keep the page from zooming: React's own cannot. */
  const frame = useCallback((element: HTMLElement | null) => {
    if (!element) return;
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
      event.preventDefault();
      const box = element.getBoundingClientRect();
      const at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height] as const;
      setView((now) => zoomed(now, Math.exp(-event.deltaY * 0.01), ...at));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, []);

  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (view.scale > 1 || pointers.current.size > 1) event.currentTarget.setPointerCapture(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent<HTMLElement>) => {
    const before = pointers.current.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const box = event.currentTarget.getBoundingClientRect();
    const other = [...pointers.current].find(([id]) => id !== event.pointerId)?.[1];
    pointers.current.set(event.pointerId, now);
    if (other) {
      const factor = apart(now, other) / Math.max(1, apart(before, other));
      const x = ((now.x + other.x) / 2 - box.left) / box.width;
      const y = ((now.y + other.y) / 2 - box.top) / box.height;
      setView((old) => zoomed(old, factor, x, y));
    } else setView((old) => moved(old, (now.x - before.x) / box.width, (now.y - before.y) / box.height));
  };
  const release = (event: PointerEvent<HTMLElement>) => pointers.current.delete(event.pointerId);

  const zoomIn = () => setView((now) => zoomed(now, STEP));
  const zoomOut = () => setView((now) => zoomed(now, 1 / STEP));
  const whole = () => setView(WHOLE);
  const onKeyDown = (event: KeyboardEvent) => {
    const act = { "+": zoomIn, "=": zoomIn, "-": zoomOut, "0": whole }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  const bind = {
    ref: frame,
    onPointerDown,
    onPointerMove,
    onPointerUp: release,
    onPointerCancel: release,
  };
  return { view, bind, zoomIn, zoomOut, whole, onKeyDown };
}

export type Zoom = ReturnType<typeof useZoom>;
