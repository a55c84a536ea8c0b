// What pointer and keys do on a grid of maps: one set of listeners for all of them.
import { listen } from "../dom";
import { boxOf, cellAt, centreOf, type Cell } from "../geometry";
import { actionFor } from "../keyboard";
import type { Box, Size } from "../types";
import { panned, seen, zoomed } from "../viewport";
import type { StageEvents } from "./stage";
import type { Tile } from "./tile";

export interface Held {
  tile: Tile;
  events: StageEvents;
}

export interface GridHands {
  image: Size;
  /** the tile that an element lies in */
  at(target: EventTarget | null): Held | null;
  view(): Box | null;
  setView(box: Box | null): void;
  /** a tile was pointed at */
  point(held: Held): void;
  /** the tile beside another one, in the order shown */
  beside(held: Held, across: number, down: number): Held | null;
}

export const GRID_KEYS: readonly (readonly [string, string])[] = [
  ["n, p", "next and previous map"],
  ["j, k", "map below and above"],
  ["i, o", "zoom in and out (or Ctrl + wheel)"],
  ["Ctrl + arrows", "move the zoomed part (or Shift + drag)"],
];

const PAN: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
};
const STEPS: Readonly<Record<string, readonly [number, number]>> = { n: [1, 0], p: [-1, 0], j: [0, 1], k: [0, -1] };
const ZOOM = 1.5;

interface Point {
  row: number;
  col: number;
}

function pointOn(tile: Tile, event: { clientX: number; clientY: number }, image: Size): Point {
  const box = tile.layers.getBoundingClientRect();
  return { row: ((event.clientY - box.top) / box.height) * image.rows, col: ((event.clientX - box.left) / box.width) * image.cols };
}

/** The view that a drag has moved since it began. */
function dragged(from: { x: number; y: number; view: Box }, event: PointerEvent, tile: Tile, image: Size): Box | null {
  const box = tile.layers.getBoundingClientRect();
  return panned(from.view, image, ((from.y - event.clientY) / box.height) * image.rows, ((from.x - event.clientX) / box.width) * image.cols);
}

function pointers(el: HTMLElement, hands: GridHands, signal: AbortSignal): void {
  const { image } = hands;
  let held: (Held & { start: Cell; moved: boolean; pan: { x: number; y: number; view: Box } | null }) | null = null;
  listen(el, "pointerdown", (event) => {
    const found = hands.at(event.target);
    const view = hands.view();
    if (!found || (event.button !== 0 && !(event.button === 1 && view))) return;
    const at = pointOn(found.tile, event, image);
    const pans = view !== null && (event.shiftKey || event.button === 1);
    if (pans) event.preventDefault();
    held = { ...found, start: cellAt(at, image, found.tile.grid), moved: false, pan: pans ? { x: event.clientX, y: event.clientY, view: seen(view, image) } : null };
    found.tile.stage.setPointerCapture?.(event.pointerId);
  }, signal);
  listen(el, "pointermove", (event) => {
    const found = held ?? hands.at(event.target);
    if (!found) return;
    const { tile, events } = found;
    if (held?.pan) return hands.setView(dragged(held.pan, event, tile, image));
    const at = pointOn(tile, event, image);
    hands.point(found);
    const cell = cellAt(at, image, tile.grid);
    events.hover(centreOf(cell, image, tile.grid));
    if (!held || (!held.moved && cell.r === held.start.r && cell.c === held.start.c)) return;
    held.moved = true;
    events.brush(boxOf(held.start, cell, image, tile.grid));
  }, signal);
  const end = (event: PointerEvent) => {
    const was = held;
    held = null;
    if (!was || was.pan) return;
    if (was.moved) was.events.done();
    else if (event.type === "pointerup") was.events.action({ kind: "select" });
  };
  listen(el, "pointerup", end, signal);
  listen(el, "pointercancel", end, signal);
  listen(el, "pointerout", (event) => {
    const left = hands.at(event.target);
    if (left && !held && !left.tile.stage.contains(event.relatedTarget as Node | null)) left.events.hover(null);
  }, signal);
  listen(el, "wheel", (event) => {
    const found = event.ctrlKey ? hands.at(event.target) : null;
    if (!found) return;
    event.preventDefault();
    hands.setView(zoomed(hands.view(), image, Math.exp(-event.deltaY / 300), pointOn(found.tile, event, image)));
  }, signal, { passive: false });
}

function key(event: KeyboardEvent, found: Held, hands: GridHands): boolean {
  if (event.altKey || event.metaKey) return false;
  const view = hands.view();
  const pan = PAN[event.key];
  if (event.ctrlKey && pan && view) {
    const [r0, c0, r1, c1] = seen(view, hands.image);
    hands.setView(panned(view, hands.image, (pan[0] * (r1 - r0)) / 5, (pan[1] * (c1 - c0)) / 5));
    return true;
  }
  const step = event.ctrlKey ? undefined : STEPS[event.key];
  if (step) {
    hands.beside(found, step[0], step[1])?.tile.stage.focus();
    return true;
  }
  if (!event.ctrlKey && (event.key === "i" || event.key === "o")) {
    const [r0, c0, r1, c1] = seen(view, hands.image);
    const cell = found.events.cell();
    const at = cell ? centreOf(cell, hands.image, found.tile.grid) : { row: (r0 + r1) / 2, col: (c0 + c1) / 2 };
    hands.setView(zoomed(view, hands.image, event.key === "i" ? ZOOM : 1 / ZOOM, at));
    return true;
  }
  const action = actionFor(event, found.events.cell(), found.tile.grid);
  if (!action) return false;
  hands.point(found);
  found.events.action(action);
  return true;
}

export function listenToGrid(el: HTMLElement, hands: GridHands, signal: AbortSignal): void {
  pointers(el, hands, signal);
  listen(el, "keydown", (event) => {
    const found = hands.at(event.target);
    if (!found || !key(event, found, hands)) return;
    event.preventDefault();
    event.stopPropagation();
  }, signal);
}
